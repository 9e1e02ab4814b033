"""Starting the server process, and telling why it ended when it did not start."""

from __future__ import annotations

import errno
import os
import re
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pgflow_cli.embedded import _postmaster
from pgflow_cli.embedded.errors import PortInUse, StartFailed

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

    from pgflow_cli.embedded._account import Account
    from pgflow_cli.embedded._folders import Folders
    from pgflow_cli.embedded.binaries import Binaries

LOOPBACK = "127.0.0.1"
USUAL_PORT = 5432

# After a crash, the dead server's processes keep its memory for a moment. And a start that was
# given up or killed may have left a server that has not told of itself yet: it is as good as ours.
PASSING = re.compile(
    r'pre-existing shared memory block|lock file "postmaster\.pid" (already exists|is empty)'
)
PAUSE = 0.1
PORT_TAKEN = re.compile(r"could not bind IPv4 address .*: Address already in use")


class Launch:
    """One server process on its way up.

    Attributes:
        tcp_port: The TCP port it is to listen on; None without TCP.
    """

    def __init__(
        self,
        folders: Folders,
        *,
        binaries: Binaries,
        account: Account,
        settings: Mapping[str, str],
        tcp_port: int | None,
    ) -> None:
        """Start the process.

        Args:
            folders: The server's places, with an initialized data folder.
            binaries: What to run; the account can reach them.
            account: Who runs it.
            settings: Server settings that override the configuration files.
            tcp_port: The port to listen on at 127.0.0.1; None for no TCP.

        Raises:
            FolderUnusable: There is no place for the socket or the log.
        """
        self._folders = folders
        self.tcp_port = tcp_port
        sockets = folders.prepare_sockets(account)
        _forget_dead_sockets(sockets, folders.data)
        fixed = {
            "listen_addresses": "" if tcp_port is None else LOOPBACK,
            "port": str(USUAL_PORT if tcp_port is None else tcp_port),
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
        }
        command: list[str | Path] = [binaries.path / "postgres", "-D", folders.data]
        for name, value in {**settings, **fixed}.items():
            command += ["-c", f"{name}={value}"]
        self._log_start, self._process = self._spawn(command, account)
        _postmaster.adopt(self._process)

    def has_ended(self) -> bool:
        """Tell whether the process has ended, which a server that starts does not."""
        return self._process.poll() is not None

    def raise_unless_passing(self) -> None:
        """Raise why the process ended; or wait a little, where the reason can pass by itself.

        Raises:
            PortInUse: Its port was taken.
            StartFailed: Anything else that will not pass.
        """
        said = self._folders.log_tail(self._log_start, lines=50)
        if self.tcp_port is not None and PORT_TAKEN.search(said):
            raise PortInUse(self._folders.root, self.tcp_port)
        if not PASSING.search(said):
            tail = "\n".join(said.splitlines()[-12:])
            raise StartFailed(
                self._folders.root, tail or f"(nothing; exit code {self._process.returncode})"
            )
        time.sleep(PAUSE)

    def _spawn(
        self, command: list[str | Path], account: Account
    ) -> tuple[int, subprocess.Popen[bytes]]:
        extra: dict[str, str] = {}
        data = self._folders.data
        pid = _postmaster.recorded_pid(data)
        if pid is not None and not _postmaster.is_postmaster(pid, data):
            # It is the pid of a crashed server, and may be any process by now. PostgreSQL lets
            # its grandparent's pid be in the file, which keeps its other checks, and the file, in
            # place. A live server's must never be named so: two would write to the data.
            extra["PG_GRANDPARENT_PID"] = str(pid)
        with os.fdopen(self._folders.open_log(), "ab") as log:
            return log.tell(), account.spawn(command, log=log, extra=extra)


def _forget_dead_sockets(folder: Path, data: Path) -> None:
    """Remove what a crashed server left beside its socket: its pid may be any process by now."""
    for lock in folder.glob(".s.PGSQL.*.lock"):
        with suppress(OSError, ValueError, IndexError):
            pid = int(lock.read_text().splitlines()[0])
            if not _postmaster.is_postmaster(pid, data):
                lock.unlink()


def free_port(port: int, root: Path) -> int:
    """Find a TCP port that can be listened on now, before anything is made or started for it.

    Args:
        port: The port that is wanted; 0 for PostgreSQL's usual one, or any where that is taken.
        root: The folder of the server.

    Raises:
        PortInUse: The port is not free.
    """
    for number in [port] if port else [USUAL_PORT, 0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, number))
            except OSError as exc:
                if exc.errno == errno.EADDRINUSE:
                    continue
                # A port that is forbidden to us may be allowed to the server's account, or not.
                return number
            return int(probe.getsockname()[1])
    raise PortInUse(root, port)
