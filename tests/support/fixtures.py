"""The fixtures of every package: one server a session, one fresh database a test."""

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from psycopg import sql

from tests.support.processes import no_process_left
from tests.support.servers import throwaway_server

TEMPLATE = "pgflow_template"

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names that differ in each process, with which tests cannot run in parallel."""
    fickle = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if fickle:
        raise pytest.UsageError(f"these tests are named after an address: {fickle}")


@pytest.fixture(scope="session", autouse=True)
def processes_end() -> Iterator[None]:
    """Whatever a test starts has ended when all are over."""
    with no_process_left():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """A server for this session; PGFLOW_TEST_PG_BIN names another PostgreSQL for it."""
    with throwaway_server() as server:
        yield server


@pytest.fixture(scope="session")
def template_db(postgres: EmbeddedServer) -> str:
    """The name of a database with pgflow's schema, for others to be cloned from."""
    import pgflow_core_sql

    _administer(postgres, sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
    pgflow_core_sql.Migrator(postgres.url(TEMPLATE)).migrate()
    return TEMPLATE


@pytest.fixture
def db(postgres: EmbeddedServer, template_db: str) -> Iterator[str]:
    """The URL of a fresh database with pgflow's schema, dropped after the test."""
    name = f"test_{next(_numbers)}"
    create = sql.SQL("create database {} template {} strategy file_copy")
    _administer(postgres, create.format(sql.Identifier(name), sql.Identifier(template_db)))
    yield postgres.url(name)
    _administer(postgres, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def conn(db: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection to the test's database."""
    with psycopg.connect(db, autocommit=True) as connection:
        yield connection


def _administer(server: EmbeddedServer, statement: sql.Composed) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement)
