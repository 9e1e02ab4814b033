"""A PostgreSQL server that pgflow runs by itself, shared by all processes that use one folder."""

from __future__ import annotations

import signal
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from pgflow_cli.embedded import _cluster
from pgflow_cli.embedded._account import choose_account
from pgflow_cli.embedded._copy import reachable_binaries
from pgflow_cli.embedded._folders import Folders
from pgflow_cli.embedded._launch import LOOPBACK, Launch, free_port
from pgflow_cli.embedded._lock import Deadline, exclusive
from pgflow_cli.embedded._platform import require_posix
from pgflow_cli.embedded._postmaster import (
    Postmaster,
    find_postmaster,
    is_postmaster,
    send_signal,
)
from pgflow_cli.embedded.binaries import Binaries, find_binaries, read_binaries
from pgflow_cli.embedded.errors import (
    FolderUnusable,
    NotRunning,
    StartTimeout,
    StopTimeout,
    TcpUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

POLL = 0.005
START_TIMEOUT = timedelta(seconds=60)
# A fast shutdown writes everything to the disk first; then an immediate one, which the next start
# recovers from.
STOP_STEPS = (
    (signal.SIGINT, timedelta(seconds=60)),
    (signal.SIGQUIT, timedelta(seconds=15)),
)


class EmbeddedServer:
    """The server of one folder. It outlives the process that starts it, and so does its data.

    All objects and processes that name the same folder share one server. It listens on a Unix
    socket that only the user can reach, and on TCP when asked. PostgreSQL does not run as root:
    for root it runs as the owner of the data, else as `postgres`, else as `nobody`.
    """

    def __init__(
        self,
        root: Path,
        *,
        binaries: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Name a server; nothing is made or started yet.

        Args:
            root: The folder that keeps the server's data, log and lock; made on start.
            binaries: The folder of the PostgreSQL programs; None to find one.
            settings: Server settings to start with, such as {"fsync": "off"}; they override the
                configuration files, and change nothing for a server that already runs.

        Raises:
            PlatformUnsupported: This operating system has no embedded server.
        """
        require_posix()
        self._folders = Folders(root)
        self._named_binaries = binaries
        self._found_binaries: Binaries | None = None
        self._settings = dict(settings or {})

    @property
    def root(self) -> Path:
        """The folder of the server, absolute."""
        return self._folders.root

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder; not in the root where the server's account cannot get there."""
        return self._folders.data

    @property
    def log(self) -> Path:
        """The file that the server logs to."""
        return self._folders.log

    @property
    def binaries(self) -> Binaries:
        """The PostgreSQL that starts here.

        Raises:
            BinariesMissing: None was found.
            BinariesUnusable: The one that was named cannot be used.
        """
        if self._found_binaries is None:
            named = self._named_binaries
            self._found_binaries = find_binaries() if named is None else read_binaries(named)
        return self._found_binaries

    def start(self, timeout: timedelta = START_TIMEOUT, *, tcp_port: int | None = None) -> str:
        """Start the server, unless it runs; the first start makes the data.

        Args:
            timeout: How long to wait until the server takes connections.
            tcp_port: The port to listen on at 127.0.0.1, besides the Unix socket; 0 for a free
                one; None for no TCP (a server that runs keeps what it has).

        Returns:
            The URL of the database "postgres", through the Unix socket.

        Raises:
            EmbeddedError: The server could not be started; the subclass tells why.
        """
        deadline = Deadline(timeout)
        self._folders.prepare_root()
        with exclusive(self._folders.lock, deadline) as lock:
            running = self._bring_up(deadline, lock, tcp_port)
        if tcp_port is not None and not (running.listens and tcp_port in {0, running.port}):
            raise TcpUnavailable(self.root, running.port if running.listens else None)
        return self.url()

    def stop(self) -> bool:
        """Stop the server: transactions in progress are rolled back, and clients disconnected.

        Returns:
            Whether there was one to stop.

        Raises:
            StopTimeout: It still runs.
            FolderUnusable: The server is another user's.
        """
        if not self._folders.root.is_dir():
            return False
        with exclusive(self._folders.lock, Deadline(START_TIMEOUT)):
            return self._stop()

    def reset(self) -> bool:
        """Stop the server and delete its data for good; the next start makes it anew.

        Returns:
            Whether there was data.

        Raises:
            StopTimeout: The server still runs, and nothing was deleted.
            FolderUnusable: The server is another user's.
        """
        if not self._folders.root.is_dir():
            return False
        with exclusive(self._folders.lock, Deadline(START_TIMEOUT)):
            choose_account(self.data)
            self._stop()
            had_data = self.data.exists()
            self._folders.delete()
            return had_data

    def is_running(self) -> bool:
        """Tell whether the server process lives; it may still be starting."""
        return find_postmaster(self.data) is not None

    def url(self, database: str = "postgres") -> str:
        """Give the URL of a database through the Unix socket, which needs no password.

        Args:
            database: The name of the database.

        Raises:
            NotRunning: The server does not run.
        """
        running = self._running()
        host = quote(str(running.sockets), safe="")
        return (
            f"postgresql://{_cluster.SUPERUSER}@/{quote(database, safe='')}"
            f"?host={host}&port={running.port}"
        )

    def tcp_url(self, database: str = "postgres") -> str | None:
        """Give the URL of a database through TCP, with the password in it.

        Args:
            database: The name of the database.

        Returns:
            The URL; None for a server without TCP.

        Raises:
            NotRunning: The server does not run.
        """
        running = self._running()
        if not running.listens:
            return None
        password = quote(_cluster.read_password(self.data), safe="")
        return (
            f"postgresql://{_cluster.SUPERUSER}:{password}@{LOOPBACK}:{running.port}"
            f"/{quote(database, safe='')}"
        )

    def version(self) -> str:
        """Tell the version, such as "18.4": of the server that runs, else of the binaries."""
        if not self.is_running():
            return self.binaries.version
        # Here, since a driver takes longer to import than a server that runs to be found.
        import psycopg

        with psycopg.connect(self.url()) as connection:
            return (connection.info.parameter_status("server_version") or "").split()[0]

    def _running(self) -> Postmaster:
        running = find_postmaster(self.data)
        if running is None:
            raise NotRunning(self.root)
        return running

    def _bring_up(self, deadline: Deadline, lock: int, tcp_port: int | None) -> Postmaster:
        launch: Launch | None = None
        while True:
            found = find_postmaster(self.data)
            if found is not None and not found.data.exists():
                # The project was moved while its server ran, which still writes to the old path.
                self._stop()
                found = None
            if found is not None and found.is_ready:
                return found
            if launch is not None and launch.has_ended():
                launch.raise_unless_passing()
                launch = None
            elif launch is None and found is None:
                launch = self._launch(deadline, lock, tcp_port)
            if deadline.has_passed:
                raise StartTimeout(self.root, deadline.timeout, self._folders.log_tail())
            time.sleep(POLL)

    def _launch(self, deadline: Deadline, lock: int, tcp_port: int | None) -> Launch:
        if tcp_port is not None:
            tcp_port = free_port(tcp_port, self.root)
        account = choose_account(self.data)
        self._folders.prepare_home(account)
        binaries = reachable_binaries(self.binaries, account)
        if _cluster.is_initialized(self._folders):
            _cluster.check_version(self.data, self.binaries)
        else:
            _cluster.init_cluster(
                self._folders,
                binaries=binaries,
                account=account,
                durable=self._settings.get("fsync") != "off",
                deadline=deadline,
                lock=lock,
            )
        return Launch(
            self._folders,
            binaries=binaries,
            account=account,
            settings=self._settings,
            tcp_port=tcp_port,
        )

    def _stop(self) -> bool:
        running = find_postmaster(self.data)
        if running is None:
            return False
        for number, patience in STOP_STEPS:
            try:
                send_signal(running.pid, self.data, number)
            except PermissionError as exc:
                reason = "this process may not signal the server"
                raise FolderUnusable(self.data, reason) from exc
            deadline = Deadline(patience)
            while is_postmaster(running.pid, self.data):
                if deadline.has_passed:
                    break
                time.sleep(POLL)
            else:
                return True
        raise StopTimeout(self.root, running.pid)
