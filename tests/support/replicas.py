"""Servers that follow another, take its place, or die."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from psycopg.conninfo import conninfo_to_dict

from tests.support.waiting import until

PATIENCE = timedelta(seconds=60)


def crash(server: EmbeddedServer) -> None:
    """Kill a server as the kernel does, and wait until it is gone."""
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    until(lambda: not server.is_running(), PATIENCE)


@contextmanager
def standby_of(primary: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """Run a standby that has all of a primary's data and follows it, which is deleted at the end.

    Args:
        primary: A server that runs.
    """
    program = primary.binaries.path / "pg_basebackup"
    if not program.exists():
        pytest.skip("this PostgreSQL has no pg_basebackup")
    folder = Path(tempfile.mkdtemp(prefix="pgflow-standby-"))
    folder.chmod(0o711)
    standby = EmbeddedServer(
        folder / "server", binaries=primary.binaries.path, settings={"fsync": "off"}
    )
    standby.data.parent.mkdir(mode=0o711)
    try:
        subprocess.run(
            [program, "-D", standby.data, "-d", primary.url(), "-R", "-c", "fast", "--no-sync"],
            check=True,
            capture_output=True,
        )
        _give(standby.data, primary.data.stat().st_uid)
        standby.start()
        with psycopg.connect(primary.url(), autocommit=True) as conn:
            until(
                lambda: conn.execute("select from pg_stat_replication").fetchone() is not None,
                PATIENCE,
            )
        yield standby
    finally:
        standby.reset()
        shutil.rmtree(folder)


def catch_up(primary: EmbeddedServer, standby: EmbeddedServer) -> None:
    """Wait until a standby shows all that its primary has committed."""
    with (
        psycopg.connect(primary.url(), autocommit=True) as ahead,
        psycopg.connect(standby.url(), autocommit=True) as behind,
    ):
        written = ahead.execute("select pg_current_wal_lsn()").fetchone()
        replayed = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"
        until(lambda: behind.execute(replayed, written).fetchone() == (True,), PATIENCE)


def url_of_primary(database: str, *servers: EmbeddedServer) -> str:
    """The URL of a database on whichever of the servers takes writes."""
    each = [conninfo_to_dict(server.url()) for server in servers]
    hosts = ",".join(quote(str(one["host"]), safe="") for one in each)
    ports = ",".join(str(one["port"]) for one in each)
    return (
        f"postgresql://postgres@/{database}?host={hosts}&port={ports}"
        "&target_session_attrs=read-write"
    )


def _give(folder: Path, account: int) -> None:
    """Make a folder with all that is in it an account's own; only root has to."""
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, account, account, follow_symlinks=False)
