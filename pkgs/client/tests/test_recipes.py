"""Runs that start in a transaction of SQLAlchemy's, asyncpg's or Django's.

The lines that start a run are those of the README.
"""

from dataclasses import dataclass

import asyncpg
import pytest
import sqlalchemy
from pgflow_client import AsyncClient, Client, RunFailed
from pgflow_dsl import Flow, InputInvalid
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session


class Changed(Exception):
    """Why a transaction is rolled back."""


@dataclass
class Order:
    number: int


@pytest.fixture
def ship(hand, conn):
    """A flow, and a table of the application's own."""
    flow = Flow("ship", input=Order)

    @flow.step
    def pack(order: Order = flow.input) -> str: ...

    hand.serve(flow)
    conn.execute("create table orders (number int)")
    return flow


@pytest.fixture
def orders(conn):
    """What is there: the orders, and the inputs of the runs."""

    def read() -> tuple[list[int], list[int]]:
        numbers = conn.execute("select number from orders order by 1").fetchall()
        inputs = conn.execute("select (input ->> 'number')::int from pgflow.runs").fetchall()
        return [row[0] for row in numbers], sorted(row[0] for row in inputs)

    return read


def test_with_sqlalchemy(db, ship, orders, hand):
    engine = sqlalchemy.create_engine("postgresql+psycopg://", connect_args=conninfo_to_dict(db))
    insert = sqlalchemy.text("insert into orders values (:number)")

    def take(number: int, error: type[Exception] | None = None) -> None:
        with Session(engine) as session, session.begin():
            session.execute(insert, {"number": number})
            driver = session.connection().connection.driver_connection
            Client(driver).start_flow(ship, Order(number), idempotency_key=f"order {number}")
            assert orders() == ([], [])
            if error is not None:
                raise error

    with pytest.raises(Changed):
        take(1, Changed)
    assert orders() == ([], [])
    take(2)
    assert orders() == ([2], [2])
    with engine.connect() as connection:
        # A connection that is given back can be borrowed for a look, too.
        client = Client(connection.connection.driver_connection)
        (run,) = client.list_runs(ship)
        hand.fail(run.run_id, "pack")
        with pytest.raises(RunFailed):
            client.get_run(run.run_id).wait()
    engine.dispose()


async def test_with_sqlalchemy_on_asyncio(db, ship, orders):
    engine = create_async_engine("postgresql+psycopg://", connect_args=conninfo_to_dict(db))
    insert = sqlalchemy.text("insert into orders values (:number)")

    async def take(number: int, error: type[Exception] | None = None) -> None:
        async with AsyncSession(engine) as session, session.begin():
            await session.execute(insert, {"number": number})
            raw = await (await session.connection()).get_raw_connection()
            await AsyncClient(raw.driver_connection).start_flow(ship, Order(number))
            assert orders() == ([], [])
            if error is not None:
                raise error

    with pytest.raises(Changed):
        await take(1, Changed)
    assert orders() == ([], [])
    await take(2)
    assert orders() == ([2], [2])
    await engine.dispose()


async def test_with_asyncpg(db, ship, orders):
    given = conninfo_to_dict(db)
    conn = await asyncpg.connect(
        host=given["host"], port=given["port"], user=given["user"], database=given["dbname"]
    )

    async def take(number: int, error: type[Exception] | None = None) -> None:
        async with conn.transaction():
            await conn.execute("insert into orders values ($1)", number)
            start = "select run_id from pgflow.start_flow($1, $2::jsonb)"
            run_id = await conn.fetchval(start, ship.slug, ship.dump_input(Order(number)))
            assert orders() == ([], [])
            assert run_id is not None
            if error is not None:
                raise error

    with pytest.raises(Changed):
        await take(1, Changed)
    assert orders() == ([], [])
    await take(2)
    assert orders() == ([2], [2])
    with pytest.raises(InputInvalid, match="number"):
        ship.dump_input({"number": "two"})
    await conn.close()


@pytest.fixture
def django_connection(db):
    """The connection of a Django application that is set up to use the test's database."""
    import django
    from django.conf import settings
    from django.db import ConnectionHandler

    if not settings.configured:
        settings.configure(USE_TZ=True)
        django.setup()
    given = conninfo_to_dict(db)
    handler = ConnectionHandler(
        {
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": given["dbname"],
                "USER": given["user"],
                "HOST": given["host"],
                "PORT": given["port"],
            }
        }
    )
    connection = handler["default"]
    yield connection
    connection.close()


def test_with_django(django_connection, ship, orders, monkeypatch):
    from django.db import transaction

    connection = django_connection
    monkeypatch.setattr("django.db.transaction.get_connection", lambda using=None: connection)

    def take(number: int, error: type[Exception] | None = None) -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("insert into orders values (%s)", [number])
            Client(connection.connection).start_flow(ship, Order(number))
            assert orders() == ([], [])
            if error is not None:
                raise error

    with pytest.raises(Changed):
        take(1, Changed)
    assert orders() == ([], [])
    take(2)
    assert orders() == ([2], [2])
    # Outside of a transaction of the caller's, the run is there at once.
    assert Client(connection.connection).start_flow(ship, Order(3)).refresh().status == "started"
