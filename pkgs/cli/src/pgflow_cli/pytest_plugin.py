"""Fixtures for people's tests: a fresh database with pgflow's schema for each test.

pytest loads this in every session where pgflow-cli is installed, so it imports nothing else before
a fixture is used.
"""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from psycopg.sql import Composed

VARIABLE: Final = "PGFLOW_TEST_DATABASE_URL"


@pytest.fixture
def pgflow_database(_pgflow_template: tuple[str, str]) -> Generator[str]:
    """The URL of a fresh database with pgflow's schema, dropped after the test.

    It is on the server that PGFLOW_TEST_DATABASE_URL names, whose user has to be allowed to create
    databases; without that, on an embedded server that lives as long as the session.
    """
    from psycopg import sql

    server, template = _pgflow_template
    name = f"{template}_{next(_numbers)}"
    copy = sql.SQL("create database {} template {} strategy file_copy")
    with _database(server, name, copy.format(sql.Identifier(name), sql.Identifier(template))):
        yield _with_name(server, name)


@pytest.fixture(scope="session")
def _pgflow_template(_pgflow_server: str) -> Generator[tuple[str, str]]:
    """The server's URL, and the name of a database with the schema, for others to be cloned."""
    from uuid import uuid4

    from pgflow_core_sql import Migrator
    from psycopg import sql

    name = f"pgflow_test_{uuid4().hex[:12]}"
    # Plain, so that nothing of a project's own template is in it.
    create = sql.SQL("create database {} template template0").format(sql.Identifier(name))
    with _database(_pgflow_server, name, create):
        Migrator(_with_name(_pgflow_server, name)).migrate()
        yield _pgflow_server, name


@pytest.fixture(scope="session")
def _pgflow_server() -> Generator[str]:
    """The URL of a server to make databases on."""
    named = os.environ.get(VARIABLE)
    if named:
        yield named
        return
    from contextlib import ExitStack

    from pgflow_cli.embedded import EmbeddedError

    with ExitStack() as stack:
        try:
            # Not to be had on Windows.
            from pgflow_cli.embedded.throwaway import throwaway_server

            server = stack.enter_context(throwaway_server())
        except (EmbeddedError, ImportError) as error:
            pytest.fail(
                f"there is no server for pgflow_database: name one by {VARIABLE}, or install "
                f"'pgflow-cli[embedded]' ({error})",
                pytrace=False,
            )
        yield server.url()


_numbers: Final = itertools.count(1)


@contextmanager
def _database(server: str, name: str, create: Composed) -> Generator[None]:
    """Have a database for as long as the context lasts."""
    from psycopg import sql

    _administer(server, create)
    try:
        yield
    finally:
        drop = sql.SQL("drop database if exists {} with (force)")
        _administer(server, drop.format(sql.Identifier(name)))


def _administer(server: str, statement: Composed) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(statement)


def _with_name(server: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    if "://" in server:
        return urlsplit(server)._replace(path=f"/{name}").geturl()
    from psycopg.conninfo import make_conninfo

    return make_conninfo(server, dbname=name)
