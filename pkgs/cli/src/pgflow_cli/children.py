"""Worker processes as children of another process, and the line between the two.

The line is a socket: the parent sends orders, the child says whether it serves. When the parent is
gone, however it went, the line breaks, and the child drains. Signals are for people: a service
manager may send them to the parent and to all children at once, and they would count twice.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

__all__ = ["DRAIN", "STOP", "Child", "Line"]

# Orders of the parent, a byte each.
DRAIN: Final = b"d"
STOP: Final = b"s"
# What the child says of itself.
_READY: Final = b"r"
_UNREADY: Final = b"u"
# Names the child's end of the line to the child.
_VARIABLE: Final = "PGFLOW_PARENT_FD"


class Child:
    """A worker process and the parent's end of its line.

    Attributes:
        process: The process.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process: Final = process
        self._reader: Final = reader
        self._writer: Final = writer

    @classmethod
    async def start(
        cls, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start a process that runs a `pgflow worker` command as a child.

        Args:
            arguments: The words after `pgflow`.
            environment: Variables of the child besides those of this process.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "pgflow_cli", *arguments),
                env={**os.environ, **(environment or {}), _VARIABLE: str(number)},
                pass_fds=(number,),
                stdin=asyncio.subprocess.DEVNULL,
                # Ctrl-C in a terminal is for the parent, which passes it on.
                process_group=0,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    async def readiness(self) -> AsyncGenerator[bool]:
        """Yield whether the child serves, at each change, until it ends."""
        with suppress(ConnectionError):
            while said := await self._reader.read(1):
                yield said == _READY

    def order(self, order: bytes) -> None:
        """Send DRAIN or STOP; a child that has ended is past hearing it."""
        self._writer.write(order)

    def kill(self) -> None:
        """End the process at once."""
        with suppress(ProcessLookupError):
            self.process.kill()

    async def wait(self) -> int:
        """Wait for the end of the process and return its exit code, negative for a signal."""
        code = await self.process.wait()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        return code


class Line:
    """The child's end of the line.

    Until somebody follows the orders, each of them ends the process: nothing is claimed yet.
    """

    def __init__(self, number: int) -> None:
        # Not for the processes of handlers: the line would break only when they have ended, too.
        os.set_inheritable(number, False)
        self._socket: Final = socket.socket(fileno=number)
        self._lock: Final = threading.Lock()
        self._follow: Callable[[bytes], object] | None = None
        threading.Thread(target=self._listen, name="pgflow-parent", daemon=True).start()

    @classmethod
    def to_parent(cls) -> Line | None:
        """Return the line to the process that started this one as a child; None if none did."""
        number = os.environ.pop(_VARIABLE, "")
        return cls(int(number)) if number.isdecimal() else None

    def follow(self, follow: Callable[[bytes], object]) -> None:
        """Have a function called, from a thread, with DRAIN and STOP as they come."""
        with self._lock:
            self._follow = follow

    def say(self, *, is_ready: bool) -> None:
        """Tell the parent whether this process serves."""
        with suppress(OSError):
            self._socket.sendall(_READY if is_ready else _UNREADY)

    def _listen(self) -> None:
        while True:
            try:
                order = self._socket.recv(1)
            except OSError:
                order = b""
            with self._lock:
                if self._follow is None:
                    os._exit(128 + signal.SIGTERM)
                self._follow(order or DRAIN)
            if not order:
                return
