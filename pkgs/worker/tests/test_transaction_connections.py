"""The connections of transactional handlers: what may be done with one, and who has it next."""

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import Context, Flow, job
from pgflow_worker import WorkerOptions
from pgflow_worker.testing import run_flow, running_worker
from psycopg.rows import dict_row

from pkgs.worker.tests.paying import PATIENCE, backends, check, every_kind, paying, value
from tests.support import until
from tests.support.proxy import Fault, Proxy, proxy


def test_elements_of_a_map_have_transactions_of_their_own(db: str, books: psycopg.Connection[Any]):
    flow = Flow("many", input=list[int], max_attempts=2, base_delay=timedelta(0))

    @flow.map(over=flow.input, transactional=True)
    async def pay(amount: int, ctx: Context) -> int:
        await ctx.connection.execute("insert into effects values (%s, %s)", (ctx.run_id, amount))
        if amount == 3 and ctx.attempt == 1:
            raise ValueError
        return amount

    @flow.map(over=pay.output, transactional=True)
    def pay_again(amount: int, ctx: Context) -> int:
        ctx.connection.execute("insert into effects values (%s, %s)", (ctx.run_id, 10 * amount))
        return amount

    amounts = list(range(1, 9))
    options = WorkerOptions(transactions=2)
    result = asyncio.run(run_flow(flow, amounts, db, options=options))

    assert result == {"pay_again": amounts}
    written = books.execute("select amount from effects order by amount").fetchall()
    assert [row[0] for row in written] == sorted([*amounts, *[10 * each for each in amounts]])
    until(lambda: backends(books) == [])


@pytest.mark.direct("it counts connections of the server's")
@every_kind
def test_a_session_is_handed_on_as_it_was(db: str, books: psycopg.Connection[Any], kind: str):
    @job(transactional=True, max_attempts=1)
    async def on_loop(ctx: Context, number: int) -> bool:
        conn: psycopg.AsyncConnection[Any] = ctx.connection
        clean = await (await conn.execute(CLEAN)).fetchone()
        await conn.execute(SOIL)
        conn.row_factory = dict_row
        return clean == ("UTF8", None, True)

    @job(transactional=True, max_attempts=1)
    def in_thread(ctx: Context, number: int) -> bool:
        conn: psycopg.Connection[Any] = ctx.connection
        clean = conn.execute(CLEAN).fetchone()
        conn.execute(SOIL)
        conn.row_factory = dict_row
        return clean == ("UTF8", None, True)

    flow = on_loop if kind == "async" else in_thread

    async def run() -> list[Any]:
        options = WorkerOptions(transactions=1)
        async with running_worker([flow], db, options), AsyncClient(db) as client:
            results = [
                await (await client.start_flow(flow, number)).result(PATIENCE)
                for number in range(3)
            ]
            assert len(backends(books)) == 1
        return results

    assert asyncio.run(run()) == [True] * 3


CLEAN = """
select current_setting('client_encoding'), to_regclass('pg_temp.scratch'),
  pg_try_advisory_lock(7) and current_setting('work_mem') <> '64kB'
"""
SOIL = "set work_mem = '64kB'; create temp table scratch (); set client_encoding = 'latin1'"


@every_kind
def test_a_connection_that_was_lost_at_rest_costs_no_attempt(
    db: str, books: psycopg.Connection[Any], kind: str
):
    flow = paying(kind, max_attempts=1)

    async def run() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            for number in range(3):
                await (await client.start_flow(flow, number)).result(PATIENCE)
                for pid in backends(books):
                    books.execute("select pg_terminate_backend(%s)", (pid,))
                await asyncio.to_thread(until, lambda: backends(books) == [])

    asyncio.run(run())
    check(books, 3)


@pytest.mark.parametrize(
    ("statement", "message", "attempts"),
    [
        ("commit", "has ended the transaction of ctx.connection", 1),
        ("savepoint a; select 1/0", "a statement of step only failed", 2),
    ],
)
def test_a_transaction_that_is_not_what_it_was_is_told(
    db: str, books: psycopg.Connection[Any], statement: str, message: str, attempts: int
):
    flow = Flow("strange", max_attempts=2, base_delay=timedelta(0))

    @flow.step(transactional=True)
    def only(ctx: Context) -> None:
        with suppress(psycopg.errors.DivisionByZero):
            ctx.connection.execute(statement)

    with pytest.raises(RunFailed, match=message.replace("only", "'only'")):
        asyncio.run(run_flow(flow, None, db))
    assert value(books, "select count(*) from pgflow.task_attempts") == attempts


def test_the_transaction_cannot_be_ended_by_the_driver(db: str, books: psycopg.Connection[Any]):
    flow = Flow("meddling", max_attempts=1)

    @flow.step(transactional=True)
    async def only(ctx: Context) -> str:
        conn: psycopg.AsyncConnection[Any] = ctx.connection
        with pytest.raises(psycopg.ProgrammingError):
            await conn.commit()
        # What may fail has a part of its own.
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with conn.transaction():
                await conn.execute("select 1/0")
        await conn.execute("insert into effects values (%s, 1)", (ctx.run_id,))
        return "kept"

    assert asyncio.run(run_flow(flow, None, db)) == {"only": "kept"}
    assert value(books, "select count(*) from effects") == 1


def test_an_output_that_cannot_be_stored_is_final_and_undoes_all(
    db: str, books: psycopg.Connection[Any]
):
    flow = Flow("unstorable", max_attempts=3, base_delay=timedelta(0))

    @flow.step(transactional=True)
    async def only(ctx: Context) -> int:
        await ctx.connection.execute("insert into effects values (%s, 1)", (ctx.run_id,))
        return 1

    books.execute("""
        create function refuse() returns trigger language plpgsql as $$
        begin
          if new.output = '1' then
            raise exception using errcode = '22003', message = 'too much of a number';
          end if;
          return new;
        end
        $$;
        create trigger refuse before update on pgflow.step_tasks
          for each row execute function refuse()
    """)
    with pytest.raises(RunFailed, match="cannot be stored"):
        asyncio.run(run_flow(flow, None, db))
    assert value(books, "select count(*) from effects") == 0
    assert value(books, "select count(*) from pgflow.task_attempts") == 1


def test_runs_that_a_handler_starts_are_part_of_its_transaction(
    db: str, books: psycopg.Connection[Any]
):
    @job
    async def follow(number: int) -> int:
        return number

    flow = Flow("starting", base_delay=timedelta(0))

    @flow.step(transactional=True)
    async def only(ctx: Context) -> None:
        async with AsyncClient(ctx.connection) as client:
            await client.start_flow(follow, ctx.attempt)
        if ctx.attempt == 1:
            raise ValueError("not yet")

    async def run() -> None:
        async with running_worker([flow, follow], db), AsyncClient(db) as client:
            await (await client.start_flow(flow)).result(PATIENCE)

    asyncio.run(run())
    inputs = books.execute("select input from pgflow.runs where flow_slug = 'follow'").fetchall()
    assert inputs == [(2,)]


def test_what_a_transactional_handler_emits_is_stored_before_its_end(
    db: str, books: psycopg.Connection[Any]
):
    flow = Flow("emitting", max_attempts=1)

    @flow.step(transactional=True)
    async def only(ctx: Context) -> int:
        await ctx.emit("on the loop")
        return 1

    @flow.step(transactional=True)
    def in_thread(ctx: Context) -> int:
        ctx.emit("in a thread")
        return 2

    assert asyncio.run(run_flow(flow, None, db)) == {"only": 1, "in_thread": 2}
    assert value(books, "select count(*) from pgflow.stream_items") == 2


def test_more_transactional_tasks_than_connections_wait_for_one(
    db: str, books: psycopg.Connection[Any]
):
    flow = Flow("crowd", input=list[int], max_attempts=1)
    most = [0]

    @flow.map(over=flow.input, transactional=True)
    def each(number: int, ctx: Context) -> int:
        most[0] = max(most[0], len(backends(books)))
        time.sleep(0.01)
        return number

    options = WorkerOptions(transactions=1)
    result = asyncio.run(run_flow(flow, list(range(10)), db, options=options))

    assert result == {"each": list(range(10))}
    assert most == [1]


def test_a_worker_that_is_stopped_before_its_commit_holds_others_up_for_no_more_than_seconds(
    db: str,
    books: psycopg.Connection[Any],
    postgres: EmbeddedServer,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("pgflow_worker._transactions._LONGEST_END", 4.0)
    flow = Flow("silent", input=list[int], base_delay=timedelta(0))

    @flow.map(over=flow.input, transactional=True)
    async def pay(amount: int, ctx: Context) -> int:
        await ctx.connection.execute("insert into effects values (%s, %s)", (ctx.run_id, amount))
        return amount

    async def run(way: Proxy) -> Any:
        options = WorkerOptions(transactions=1)
        # The first commit never arrives, as if its worker had been stopped just then.
        fault = way.arm(Fault(name="pgflow transaction", part="request", at=7, then="silence"))
        async with (
            running_worker([flow], way.url(books.info.dbname), options),
            running_worker([flow], db),
            AsyncClient(db) as client,
        ):
            handle = await client.start_flow(flow, list(range(20)))
            await asyncio.to_thread(fault.has_happened.wait, 30)
            # What the others wait for is a lock that the server takes away.
            return await handle.result(PATIENCE)

    with proxy(postgres) as way:
        assert asyncio.run(run(way)) == {"pay": list(range(20))}
    amounts = books.execute("select amount from effects order by amount").fetchall()
    assert [amount for [amount] in amounts] == list(range(20))
