"""A server that takes TLS alone, on TCP, with certificates of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer, all_binaries, throwaway
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# Password or certificate, by who it is; nothing without TLS. The socket stays the test's own way.
ACCESS = """
local all all trust
hostssl all certified 127.0.0.1/32 cert
hostssl all all 127.0.0.1/32 scram-sha-256
"""
PASSWORD = "p ss:w@rd/%"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServer:
    """A server that takes TLS alone, for the users `certified` and `shopper`.

    Attributes:
        server: The server.
        folder: Has root.crt, and client.crt with client.key for `certified`.
        port: Its port at localhost.
    """

    server: EmbeddedServer
    folder: Path
    port: int

    def conninfo(self, **parameters: str) -> str:
        """The way to the database `shop`, with what a test adds."""
        usual = {"host": "localhost", "port": str(self.port), "dbname": "shop"}
        return make_conninfo("", **{**usual, **parameters})


@contextmanager
def tls_server() -> Iterator[TlsServer]:
    """Run such a server; the test is skipped where none can be had."""
    binaries = next((each.path for each in all_binaries() if _has_tls(each.path)), None)
    if binaries is None or shutil.which("openssl") is None:
        pytest.skip("no PostgreSQL here takes TLS, or there is no openssl")
    with throwaway.throwaway_server(binaries=binaries) as server:
        folder = Path(tempfile.mkdtemp(prefix="pgflow-tls-"))
        try:
            make_certificates(folder)
            server.stop()
            for name in ("server.crt", "server.key", "root.crt"):
                _lay(folder / name, server.data / name)
            with (server.data / "postgresql.auto.conf").open("a") as settings:
                settings.write("ssl = on\nssl_ca_file = 'root.crt'\n")
            (server.data / "pg_hba.conf").write_text(ACCESS)
            server.start(tcp_port=0)
            _make_users(server)
            port = int(str(conninfo_to_dict(str(server.tcp_url()))["port"]))
            yield TlsServer(server=server, folder=folder, port=port)
        finally:
            shutil.rmtree(folder)


def make_certificates(folder: Path) -> None:
    """Make an authority, and certificates of it for the server and for a client."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("root", "stranger"):
        openssl(
            *("req", "-x509", *key, "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.crt"),
        )
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    for name, subject in (("server", "localhost"), ("client", "certified")):
        openssl(
            "req", *key, "-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.csr"
        )
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-days", "2", "-extfile", "names"),
            *("-CA", "root.crt", "-CAkey", "root.key", "-CAcreateserial", "-out", f"{name}.crt"),
        )
        (folder / f"{name}.key").chmod(0o600)


def _has_tls(binaries: Path) -> bool:
    done = subprocess.run(
        [str(binaries / "postgres"), "-C", "ssl_library"], capture_output=True, text=True
    )
    if done.stdout.strip():
        return True
    # As root it says nothing: what it was built with tells the same.
    built = subprocess.run(
        [str(binaries / "pg_config"), "--configure"], capture_output=True, text=True, check=False
    )
    return "openssl" in built.stdout


def _lay(path: Path, to: Path) -> None:
    shutil.copy(path, to)
    to.chmod(0o600)
    if os.geteuid() == 0:
        owner = to.parent.stat()
        os.chown(to, owner.st_uid, owner.st_gid)


def _make_users(server: EmbeddedServer) -> None:
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("create database shop")
        admin.execute("create role certified login superuser")
        quoted = PASSWORD.replace("'", "''")
        admin.execute(f"create role shopper login superuser password '{quoted}'".encode())
