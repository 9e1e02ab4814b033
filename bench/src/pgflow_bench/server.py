"""The server that everything is measured on, and what it says of its own work."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pgflow_cli.embedded import EmbeddedServer
from psycopg import sql

SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB", "max_connections": "200"}
_CLOCK_TICKS = 100
_UNITS = "select wal_bytes::float8 from pg_stat_wal"
_COMMITS = "select xact_commit from pg_stat_database where datname = current_database()"
_FSYNCS_18 = "select coalesce(sum(fsyncs), 0) from pg_stat_io where object = 'wal'"
_FSYNCS = "select wal_sync from pg_stat_wal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What the server has done so far.

    Attributes:
        cpu_seconds: CPU time of all its processes; NaN where the system does not tell.
        wal_bytes: WAL written.
        commits: Transactions of the database that committed.
        fsyncs: Flushes of WAL to disk.
    """

    cpu_seconds: float
    wal_bytes: float
    commits: int
    fsyncs: int

    def since(self, before: "Counters") -> "Counters":
        """Return what was done after an earlier moment."""
        return Counters(
            cpu_seconds=self.cpu_seconds - before.cpu_seconds,
            wal_bytes=self.wal_bytes - before.wal_bytes,
            commits=self.commits - before.commits,
            fsyncs=self.fsyncs - before.fsyncs,
        )


@contextmanager
def durable_server() -> Iterator[EmbeddedServer]:
    """Run a server whose commits are durable, and delete it at the end."""
    with tempfile.TemporaryDirectory(prefix="pgflow-bench-") as folder:
        # Another account runs the server when the bench runs as root.
        Path(folder).chmod(0o711)
        server = EmbeddedServer(Path(folder) / "server", settings=SETTINGS)
        server.start()
        try:
            yield server
        finally:
            server.reset()


def fresh_database(server: EmbeddedServer, name: str) -> str:
    """Make an empty database and return its URL."""
    identifier = sql.Identifier(name)
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute(sql.SQL("drop database if exists {} with (force)").format(identifier))
        conn.execute(sql.SQL("create database {}").format(identifier))
        conn.execute("checkpoint")
    return server.url(name)


def drop_database(server: EmbeddedServer, name: str) -> None:
    """Drop a database with whoever is still connected to it."""
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        )


def read_counters(conn: psycopg.Connection) -> Counters:
    """Read what the server has done so far."""
    fsyncs = _FSYNCS_18 if conn.info.server_version >= 180_000 else _FSYNCS
    # Backends keep their counts to themselves for up to a second.
    conn.execute("select pg_stat_force_next_flush()")
    return Counters(
        cpu_seconds=_cpu_seconds(conn),
        wal_bytes=_number(conn, _UNITS),
        commits=int(_number(conn, _COMMITS)),
        fsyncs=int(_number(conn, fsyncs)),
    )


def _number(conn: psycopg.Connection, query: str) -> float:
    row = conn.execute(query.encode()).fetchone()
    return float(row[0]) if row else 0.0


def _cpu_seconds(conn: psycopg.Connection) -> float:
    """Add up the CPU time of the server's processes, those that have ended included."""
    row = conn.execute("select pg_backend_pid()").fetchone()
    try:
        _, parent = _times(Path(f"/proc/{row[0] if row else 0}"))
        total = 0.0
        for place in Path("/proc").glob("[0-9]*"):
            try:
                seconds, its_parent = _times(place)
            except OSError:
                continue  # It has ended meanwhile.
            if its_parent == parent:
                total += seconds
        return total + _times_with_ended(Path(f"/proc/{parent}"))
    except OSError:
        return float("nan")


def _fields(place: Path) -> list[str]:
    # The name of a program may hold anything, brackets and spaces included.
    return (place / "stat").read_text().rpartition(")")[2].split()


def _times(place: Path) -> tuple[float, int]:
    fields = _fields(place)
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS, int(fields[1])


def _times_with_ended(place: Path) -> float:
    fields = _fields(place)
    return sum(int(field) for field in fields[11:15]) / _CLOCK_TICKS
