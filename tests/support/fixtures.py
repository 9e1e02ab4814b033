"""The fixtures of every package: one server a session, one fresh database a test."""

import itertools
import os
from collections.abc import Iterator

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support.pgbouncer import MODES, PgBouncer, pgbouncer
from tests.support.processes import no_process_left
from tests.support.servers import throwaway_server

TEMPLATE = "pgflow_template"
POOLER_VARIABLE = "PGFLOW_TEST_POOLER"
PARTITIONED_VARIABLE = "PGFLOW_TEST_PARTITIONED"

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names that differ in each process, with which tests cannot run in parallel."""
    fickle = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if fickle:
        raise pytest.UsageError(f"these tests are named after an address: {fickle}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what takes a connection without a pooler, where there is one."""
    marker = item.get_closest_marker("direct")
    if marker is not None and os.environ.get(POOLER_VARIABLE):
        pytest.skip(f"not through a pooler: {marker.args[0]}")


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
    """The name of a database with pgflow's schema, for others to be cloned from.

    PGFLOW_TEST_PARTITIONED has its tables partitioned by month.
    """
    import pgflow_core_sql

    _administer(postgres, sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
    pgflow_core_sql.Migrator(postgres.url(TEMPLATE)).migrate()
    if os.environ.get(PARTITIONED_VARIABLE):
        with psycopg.connect(postgres.url(TEMPLATE)) as connection:
            connection.execute("select pgflow.partition_by_month()")
    return TEMPLATE


@pytest.fixture(scope="session")
def pooler_of_all(postgres: EmbeddedServer) -> Iterator[PgBouncer | None]:
    """The PgBouncer that PGFLOW_TEST_POOLER asks for; None where it does not."""
    mode = os.environ.get(POOLER_VARIABLE)
    if not mode:
        yield None
        return
    with pgbouncer(postgres, **MODES[mode]) as pooler:
        yield pooler


@pytest.fixture
def db(
    postgres: EmbeddedServer, template_db: str, pooler_of_all: PgBouncer | None
) -> Iterator[str]:
    """The URL of a fresh database with pgflow's schema, dropped after the test."""
    name = f"test_{next(_numbers)}"
    create = sql.SQL("create database {} template {} strategy file_copy")
    _administer(postgres, create.format(sql.Identifier(name), sql.Identifier(template_db)))
    yield (pooler_of_all or postgres).url(name)
    _administer(postgres, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def conn(db: str, postgres: EmbeddedServer) -> Iterator[psycopg.Connection]:
    """An autocommit connection to the test's database, with no pooler before it."""
    url = postgres.url(str(conninfo_to_dict(db)["dbname"]))
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def _administer(server: EmbeddedServer, statement: sql.Composed) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement)
