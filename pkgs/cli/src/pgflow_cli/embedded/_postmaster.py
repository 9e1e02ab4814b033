"""Knowing a running server for sure: what `postmaster.pid` says, and whether it is still true."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "postgres"

# Servers that this process started, by pid. A dead child stays a zombie until its parent asks for
# it; and a Popen that is thrown away while its process lives warns.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmaster:
    """A server process, as its pid file describes it.

    Attributes:
        pid: The process id.
        data: Where its data was when it started.
        port: The port, in TCP and in the name of the Unix socket.
        sockets: The folder of the Unix socket; None while the server has not told yet.
        listens: Whether it listens on TCP.
        is_ready: Whether it takes connections.
    """

    pid: int
    data: Path
    port: int
    sockets: Path | None
    listens: bool
    is_ready: bool


def adopt(child: subprocess.Popen[bytes]) -> None:
    """Keep a server that this process started, to notice its end."""
    _children[child.pid] = child


def recorded_pid(data: Path) -> int | None:
    """Read the pid of the server that last started on the data, whether or not it lives.

    Args:
        data: The data folder.

    Returns:
        The pid; None where the last server ended in order.
    """
    lines = _pid_file(data)
    with suppress(ValueError, IndexError):
        return abs(int(lines[0])) or None
    return None


def find_postmaster(data: Path) -> Postmaster | None:
    """Find the live server of a data folder.

    Args:
        data: The data folder.

    Returns:
        The server, verified to be one and to be this folder's; None if there is none.
    """
    lines = _pid_file(data)
    # The file grows while the server starts: 1 pid, 2 data, 3 start time, 4 port, 5 socket folder,
    # 6 listen address, 7 shared memory, 8 status.
    lines += [""] * (8 - len(lines))
    try:
        pid, port = int(lines[0]), int(lines[3] or 0)
    except ValueError:
        return None
    if not is_postmaster(pid, data):
        return None
    return Postmaster(
        pid=pid,
        data=Path(lines[1]),
        port=port,
        sockets=Path(lines[4]) if lines[4] else None,
        listens=bool(lines[5].strip()),
        is_ready=lines[7].strip() == "ready",
    )


def is_postmaster(pid: int, data: Path) -> bool:
    """Tell whether a pid is a live PostgreSQL server on this data folder, and nothing else.

    Pids are reused, after a restart of a container within seconds, so what a pid file says is
    never enough.

    Args:
        pid: The process id.
        data: The data folder.
    """
    if pid <= 0:
        return False
    if (child := _children.get(pid)) is not None and child.poll() is not None:
        del _children[pid]
        return False
    if sys.platform == "linux":
        return _is_postmaster_by_proc(Path("/proc") / str(pid), data)
    return _is_postmaster_by_ps(pid, data)


def send_signal(pid: int, data: Path, number: signal.Signals) -> bool:
    """Signal the server, if the pid is verified to be it.

    Args:
        pid: The process id.
        data: The data folder that the server must have.
        number: The signal.

    Returns:
        Whether the signal was sent.

    Raises:
        PermissionError: The process belongs to somebody else.
    """
    if sys.platform == "linux":
        handle = None
        # A handle on the process keeps the pid from being reused between the look and the signal.
        # Some sandboxes do not know the call.
        with suppress(OSError):
            handle = os.pidfd_open(pid)
        if handle is not None:
            try:
                if not is_postmaster(pid, data):
                    return False
                signal.pidfd_send_signal(handle, number)
            except ProcessLookupError:
                return False
            finally:
                os.close(handle)
            return True
    if not is_postmaster(pid, data):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _is_postmaster_by_proc(process: Path, data: Path) -> bool:
    try:
        stat = (process / "stat").read_text(errors="replace")
        program, _, rest = stat.partition("(")[2].rpartition(")")
        if program != PROGRAM or rest.split()[0] in "ZXx":
            return False
        try:
            return (process / "cwd").samefile(data)
        except PermissionError:
            # A container's root lacks the right to look at the processes of other users; the
            # command line is open to all.
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            return os.fsencode(data) in arguments
    except (OSError, IndexError):
        return False


def _is_postmaster_by_ps(pid: int, data: Path) -> bool:
    listed = subprocess.run(
        ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    state, _, command = listed.stdout.strip().partition(" ")
    program, _, arguments = command.strip().partition(" -D ")
    return (
        not state.startswith("Z")
        and Path(program).name == PROGRAM
        and arguments.partition(" -c ")[0].strip() == str(data)
    )
