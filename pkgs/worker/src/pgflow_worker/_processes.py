"""Processes for CPU-bound handlers: one that is past its time is killed, and a new one made."""

import asyncio
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import FrameType
from typing import Final

from pgflow_worker._faults import Fault, ProcessLost, describe
from pgflow_worker._perform import Work, perform
from pgflow_worker._room import Room, TimeIsUp
from pgflow_worker._threads import HandlerThreads

# A process imports the handler's module before it begins, which may take long. With the longest
# wait for a place it stays below the 30 s after which the database takes the task.
_LONGEST_START: Final = 8.0
_BEGUN: Final = b""
# Not forked: a child would inherit locks and connections in the middle of their use.
_SPAWN: Final = multiprocessing.get_context("spawn")


class HandlerProcesses:
    """Runs handlers in processes, which are made as they are needed and used again.

    A standard pool breaks as a whole when one of its processes dies, and cannot end one.

    Args:
        count: How many there may be; None is one for each CPU.
    """

    def __init__(self, count: int | None) -> None:
        places = count or os.cpu_count() or 1
        self._room: Final = Room(places)
        # Each waits for what its process says.
        self._threads: Final = HandlerThreads(places, "pgflow-process")
        self._idle: Final[list[_Child]] = []

    async def run(self, work: Work) -> str | Fault:
        """Run a handler; return its output as JSON text, or what it raised.

        Raises:
            NoRoom: No process came free; the handler was not called.
            TimeIsUp: The handler was past its timeout; its process was killed.
            ProcessLost: The process died, or could not begin in time.
        """
        data = pickle.dumps(work)
        await self._room.enter()
        try:
            child = self._idle.pop() if self._idle else _Child()
            try:
                return await self._ask(child, data, work.timeout)
            finally:
                if child.is_usable:
                    self._idle.append(child)
                else:
                    # The thread that waits for its answer is told that it died.
                    child.kill()
        finally:
            self._room.leave()

    def shut_down(self) -> None:
        """End the processes that are idle; `run` kills the others when it is cancelled."""
        while self._idle:
            child = self._idle.pop()
            child.kill()
            child.forget()
        self._threads.shut_down()

    async def _ask(self, child: "_Child", data: bytes, within: float) -> str | Fault:
        loop = asyncio.get_running_loop()
        begun = asyncio.Event()

        def ask() -> str | Fault:
            return child.ask(data, lambda: loop.call_soon_threadsafe(begun.set))

        asking = asyncio.ensure_future(self._threads.run(ask))
        beginning = asyncio.ensure_future(begun.wait())
        try:
            await asyncio.wait(
                {asking, beginning}, timeout=_LONGEST_START, return_when=asyncio.FIRST_COMPLETED
            )
            if begun.is_set():
                await asyncio.wait({asking}, timeout=within)
            if asking.done():
                return asking.result()
        finally:
            beginning.cancel()
            asking.cancel()
        if begun.is_set():
            raise TimeIsUp
        raise ProcessLost(f"no process could begin with it within {_LONGEST_START:g} s")


class _Child:
    """A process that runs one handler after the other."""

    def __init__(self) -> None:
        self.is_usable = False
        self._ours, self._theirs = _SPAWN.Pipe()
        self._process: Final = _SPAWN.Process(target=_serve, args=(self._theirs,))
        self._lock: Final = threading.Lock()
        self._is_killed = False

    def ask(self, data: bytes, on_begin: Callable[[], object]) -> str | Fault:
        """Have a handler run; wait for what comes of it."""
        self.is_usable = False
        try:
            self._start()
            self._ours.send_bytes(data)
            while (answer := self._ours.recv_bytes()) == _BEGUN:
                on_begin()
        except (EOFError, OSError):
            self.forget()
            code = self._process.exitcode
            how = f"by signal {-code}" if code and code < 0 else f"with exit code {code}"
            raise ProcessLost(f"the process of the handler ended {how}") from None
        outcome: str | Fault = pickle.loads(answer)
        self.is_usable = True
        return outcome

    def kill(self) -> None:
        """End the process at once."""
        with self._lock:
            self._is_killed = True
            if self._process.pid is not None:
                self._process.kill()

    def forget(self) -> None:
        """Take leave of a process that has ended or is about to."""
        if self._process.pid is not None:
            self._process.join(5)
        self._ours.close()

    def _start(self) -> None:
        with self._lock:
            if self._is_killed:
                raise EOFError
            if self._process.pid is None:
                self._process.start()
                # With its own end closed, the end of the process is the end of what it says.
                self._theirs.close()


def _serve(asked: Connection) -> None:
    """Run handlers until nobody asks any more; the main function of a child."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # They often go to all processes at once, and the parent decides what they mean. Not
        # ignored: programs that a handler starts would inherit that.
        signal.signal(number, _pass_over)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            data = asked.recv_bytes()
        except (EOFError, OSError):
            return
        asked.send_bytes(pickle.dumps(_outcome(data, asked)))


def _outcome(data: bytes, asked: Connection) -> str | Fault:
    try:
        work: Work = pickle.loads(data)
        asked.send_bytes(_BEGUN)
        return perform(work)
    # SystemExit too: a handler may not end the process.
    except BaseException as error:
        return describe(error)


def _pass_over(number: int, frame: FrameType | None) -> None:
    """Do nothing about a signal."""


def _end_with_parent() -> None:
    """A parent that was killed cannot end its children; a handler goes on for nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
