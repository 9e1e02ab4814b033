"""What PostgreSQL's own connection parameters do, in client, worker and command alike."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pgflow_core_sql
import pytest
from pgflow_client import AsyncClient, Client, DatabaseProblem
from pgflow_dsl import Flow
from pgflow_worker.testing import running_worker
from psycopg.conninfo import conninfo_to_dict

from tests.support.tls import PASSWORD, TlsServer, tls_server

PATIENCE = timedelta(seconds=30)


@pytest.fixture(scope="module")
def tls() -> Iterator[TlsServer]:
    with tls_server() as started:
        pgflow_core_sql.Migrator(started.server.url("shop")).migrate()
        yield started


def doubling() -> Flow[int]:
    flow = Flow("doubling", input=int)

    @flow.step
    async def double(number: int = flow.input) -> int:
        return 2 * number

    return flow


def command(conninfo: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pgflow_cli", *words, "--database-url", conninfo],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def serves(conninfo: str, client: str | None = None) -> bool:
    """Tell whether client, worker and command all reach the database in this way."""
    flow = doubling()

    async def run() -> Any:
        async with running_worker([flow], conninfo), AsyncClient(client or conninfo) as starter:
            # With its events, which takes a connection that listens.
            started = await starter.start_flow(flow, 21)
            events = [event async for event in started.events()]
            assert events
            return await started.result(PATIENCE)

    assert asyncio.run(run()) == {"double": 42}
    # It may well advise something; what it could not ask is another code.
    done = command(client or conninfo, "doctor", "--json")
    assert done.returncode in {0, 3}, done.stdout + done.stderr
    found = {each["subject"]: each["severity"] for each in json.loads(done.stdout)}
    assert (found["connection"], found["schema"]) == ("good", "good")
    return True


def verified(tls: TlsServer, **parameters: str) -> str:
    root = str(tls.folder / "root.crt")
    return tls.conninfo(sslmode="verify-full", sslrootcert=root, **parameters)


def as_url(conninfo: str) -> str:
    """Spell a connection string as a URL, as people have it in their environment."""
    parts = conninfo_to_dict(conninfo)
    user, password = quote(str(parts["user"]), safe=""), parts.get("password")
    login = f"{user}:{quote(str(password), safe='')}" if password else user
    given = {"host", "port", "dbname", "user", "password"}
    more = "&".join(
        f"{name}={quote(str(value), safe='')}" for name, value in parts.items() if name not in given
    )
    return f"postgresql://{login}@{parts['host']}:{parts['port']}/{parts['dbname']}?{more}"


def test_a_server_is_verified_and_the_password_comes_from_the_url(tls: TlsServer):
    url = as_url(verified(tls, user="shopper", password=PASSWORD))
    assert serves(url)
    # As frameworks spell it.
    done = command(url.replace("postgresql:", "postgresql+psycopg:", 1), "runs", "list")
    assert done.returncode == 0, done.stderr


def test_a_client_shows_its_certificate(tls: TlsServer):
    folder = tls.folder
    certificate = {"sslcert": str(folder / "client.crt"), "sslkey": str(folder / "client.key")}
    assert serves(verified(tls, user="certified", **certificate))


REFUSED = {
    "another authority's server": {"sslrootcert": "stranger.crt"},
    "a server of another name": {"host": "127.0.0.1"},
    "no TLS": {"sslmode": "disable"},
    "no certificate of its own": {"user": "certified"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trusted_is_refused(tls: TlsServer, case: str):
    changed = dict(REFUSED[case])
    if "sslrootcert" in changed:
        changed["sslrootcert"] = str(tls.folder / changed["sslrootcert"])
    usual = conninfo_to_dict(verified(tls, user="shopper", password=PASSWORD))
    conninfo = tls.conninfo(**{name: str(value) for name, value in {**usual, **changed}.items()})
    with Client(conninfo) as client, pytest.raises(DatabaseProblem) as raised:
        client.start_flow("doubling", 1)
    assert PASSWORD not in str(raised.value)
    done = command(conninfo, "status")
    assert done.returncode == 1
    assert PASSWORD not in done.stderr


def test_passwords_come_from_a_file(
    tls: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    passwords = tmp_path / "passwords"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    passwords.write_text(f"localhost:{tls.port}:shop:shopper:{escaped}\n")
    passwords.chmod(0o600)
    conninfo = verified(tls, user="shopper")
    with Client(conninfo) as client, pytest.raises(DatabaseProblem):
        client.list_runs().__next__()
    assert serves(verified(tls, user="shopper", passfile=str(passwords)))
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    assert serves(conninfo)


def test_options_hold_on_every_connection(tls: TlsServer):
    def in_role(role: str) -> str:
        return verified(tls, user="shopper", password=PASSWORD, options=f"-c role={role}")

    # Nobody here but a worker may claim, and nobody but a client may start.
    assert serves(in_role("pgflow_worker"), in_role("pgflow_client"))
    refused = command(in_role("pgflow_reader"), "start", "doubling", "1")
    assert refused.returncode == 1
    assert "pgflow_client" in refused.stderr


def test_the_one_of_several_hosts_that_takes_writes_is_used(tls: TlsServer):
    with socket.socket() as taken:
        # Bound and not listening: whoever connects is refused.
        taken.bind(("127.0.0.1", 0))
        hosts = {"host": "localhost,localhost", "port": f"{taken.getsockname()[1]},{tls.port}"}
        conninfo = verified(
            tls, user="shopper", password=PASSWORD, target_session_attrs="read-write", **hosts
        )
        assert serves(conninfo)
        # None of them is a standby.
        standby = conninfo.replace("read-write", "standby")
        assert command(standby, "status").returncode == 1
