"""PgBouncer before a test's server, where it is installed."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from psycopg.conninfo import conninfo_to_dict

from tests.support.waiting import until

PORT = 6432
_PREPARED = "max_prepared_statements"
# Before this version there was no such setting, and nothing was kept.
_KNOWS_PREPARED = (1, 21)
USUAL = {"pool_mode": "transaction", "default_pool_size": "2", "server_login_retry": "1"}
# What whole test suites run through, by name. A server connection in session mode is its client's
# as long as that lives; the last forgets each prepared statement, as Supavisor does.
MODES: dict[str, dict[str, str]] = {
    "session": {"pool_mode": "session", "default_pool_size": "60"},
    "transaction": {"pool_mode": "transaction", "default_pool_size": "5"},
    "unprepared": {"pool_mode": "transaction", "default_pool_size": "5", _PREPARED: "0"},
}


class PgBouncer:
    """A PgBouncer that passes everything on to one server; it listens on a Unix socket."""

    def __init__(self, folder: Path, server: EmbeddedServer, settings: Mapping[str, str]) -> None:
        self.log = folder / "log"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        to = conninfo_to_dict(server.url())
        # The account that may enter the folder of the server's socket; PgBouncer shuns root.
        self._account = pwd.getpwuid(Path(str(to["host"])).stat().st_uid)
        if version() < _KNOWS_PREPARED:
            settings = {name: settings[name] for name in settings if name != _PREPARED}
        lines = [
            "[databases]",
            f"* = host={to['host']} port={to['port']} user={to['user']}",
            "[pgbouncer]",
            "listen_addr =",
            f"listen_port = {PORT}",
            f"unix_socket_dir = {folder}",
            "auth_type = any",
            "max_client_conn = 200",
            *(f"{name} = {value}" for name, value in {**USUAL, **settings}.items()),
        ]
        (folder / "pgbouncer.ini").write_text("\n".join(lines))
        if os.geteuid() == 0:
            shutil.chown(folder, self._account.pw_uid)

    def url(self, database: str) -> str:
        """The URL of a database through it."""
        host = quote(str(self._folder), safe="")
        return f"postgresql://postgres@/{database}?host={host}&port={PORT}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        command = [str(program()), str(self._folder / "pgbouncer.ini")]
        if os.geteuid() == 0:
            command[1:1] = ["-u", self._account.pw_name]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers, what=f"PgBouncer listens: {self.log}")

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres")):
                return True
        except psycopg.OperationalError:
            return False

    def kill(self) -> None:
        """End it without a word to its clients."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None
            (self._folder / f".s.PGSQL.{PORT}").unlink(missing_ok=True)


def program() -> Path | None:
    """Find the program; distributions keep it where only administrators look."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def version() -> tuple[int, int]:
    """Read which version the program is of."""
    said = subprocess.run([str(program()), "--version"], capture_output=True, text=True, check=True)
    major, minor = re.findall(r"\d+", said.stdout)[:2]
    return int(major), int(minor)


@contextmanager
def pgbouncer(server: EmbeddedServer, **settings: str) -> Iterator[PgBouncer]:
    """Run a PgBouncer before a server; the test is skipped where there is none.

    Args:
        server: Where it leads to.
        settings: Settings of its own.
    """
    if program() is None:
        pytest.skip("PgBouncer is not installed here (Debian and Ubuntu: apt install pgbouncer)")
    folder = Path(tempfile.mkdtemp(prefix="pgflow-pgbouncer-"))
    folder.chmod(0o755)
    pooler = PgBouncer(folder, server, settings)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.kill()
        shutil.rmtree(folder)
