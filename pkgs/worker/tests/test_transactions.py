"""What a transactional handler writes, its output and what follows: together, or not at all."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any, Literal

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import Context, Flow, RetryAfter, job
from pgflow_worker import Worker, WorkerOptions
from pgflow_worker.testing import run_flow, running_worker
from psycopg.rows import dict_row

from pkgs.worker.tests.paying import check, open_books, paying, value
from tests.support import until
from tests.support.proxy import Fault, Proxy, proxy

PATIENCE = timedelta(seconds=60)
KINDS = ["async", "sync"]
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def books(db: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(db, autocommit=True) as conn:
        open_books(conn)
        yield conn


def backends(conn: psycopg.Connection[Any]) -> list[int]:
    rows = conn.execute(
        "select pid from pg_stat_activity where application_name = 'pgflow transaction'"
        " and datname = current_database()"
    )
    return [row[0] for row in rows]


@every_kind
def test_what_a_handler_writes_is_committed_with_its_output(
    db: str, books: psycopg.Connection[Any], kind: str
):
    assert asyncio.run(run_flow(paying(kind), 5, db)) == {"confirm": 5}

    check(books, 1)
    same = value(
        books,
        "select count(distinct each.xmin::text) from"
        " (select xmin from effects union all select xmin from accounts union all"
        "  select xmin from pgflow.step_tasks where step_slug = 'pay') as each",
    )
    assert same == 1


@every_kind
def test_what_a_handler_wrote_before_it_failed_is_undone(
    db: str, books: psycopg.Connection[Any], kind: str
):
    flow = Flow("failing", base_delay=timedelta(0))

    @flow.step(transactional=True)
    async def on_loop(ctx: Context) -> int:
        await ctx.connection.execute("insert into effects values (%s, 1)", (ctx.run_id,))
        if ctx.attempt == 1:
            raise ValueError("not yet")
        return ctx.attempt

    @flow.step(transactional=True)
    def in_thread(ctx: Context) -> int:
        ctx.connection.execute("insert into effects values (%s, 2)", (ctx.run_id,))
        if ctx.attempt == 1:
            raise RetryAfter(timedelta(0))
        return ctx.attempt

    assert asyncio.run(run_flow(flow, None, db)) == {"on_loop": 2, "in_thread": 2}
    amounts = books.execute("select amount from effects order by amount").fetchall()
    assert amounts == [(1,), (2,)]


@pytest.mark.parametrize("end", ["request", "answer"])
@every_kind
def test_a_connection_that_is_cut_at_any_statement_doubles_and_loses_no_effect(
    db: str,
    books: psycopg.Connection[Any],
    postgres: EmbeddedServer,
    kind: str,
    end: Literal["request", "answer"],
):
    flow = paying(kind, max_attempts=5)
    database = books.info.dbname

    async def cut_everywhere(way: Proxy) -> int:
        async with running_worker([flow], way.url(database)), AsyncClient(db) as client:
            await (await client.start_flow(flow, 1)).result(PATIENCE)
            statements = way.requests["pgflow transaction"]
            # Each time with the first connection after the last was cut: the first one is whole.
            for number in range(1, statements + 1):
                way.cut("pgflow transaction")
                fault = way.arm(Fault(name="pgflow transaction", part=end, at=number))
                await (await client.start_flow(flow, number)).result(PATIENCE)
                # The result of a commit is seen before its answer is, and so before that is cut.
                assert await asyncio.to_thread(fault.has_happened.wait, PATIENCE.total_seconds())
            return statements

    with proxy(postgres) as way:
        statements = asyncio.run(cut_everywhere(way))

    # The start, begin, enter, two of the handler, forget, complete, commit.
    assert statements == 8
    check(books, statements + 1)


@pytest.mark.parametrize("table", ["effects", "accounts", "step_tasks", "step_states", "runs"])
@every_kind
def test_a_session_that_is_ended_in_the_midst_of_a_statement_leaves_nothing_half_done(
    db: str, books: psycopg.Connection[Any], kind: str, table: str
):
    flow = paying(kind, max_attempts=5)
    schema = "public" if table in ("effects", "accounts") else "pgflow"
    books.execute("create sequence attempts")
    books.execute("""
        create function die() returns trigger language plpgsql as $$
        begin
          if current_setting('application_name') = 'pgflow transaction'
            and nextval('public.attempts') = 1 then
            perform pg_terminate_backend(pg_backend_pid());
          end if;
          return null;
        end
        $$
    """)
    trigger = f"create trigger die after insert or update on {schema}.{table}"
    books.execute(f"{trigger} for each row execute function die()".encode())

    assert asyncio.run(run_flow(flow, 3, db)) == {"confirm": 3}

    check(books, 1)
    assert value(books, "select last_value from attempts") > 1


@every_kind
def test_a_handler_past_its_timeout_is_undone_and_holds_no_lock(
    db: str, books: psycopg.Connection[Any], kind: str
):
    flow = Flow("slow", max_attempts=1)
    release = threading.Event()

    @flow.step(transactional=True, timeout=timedelta(seconds=1))
    async def on_loop(ctx: Context) -> None:
        await ctx.connection.execute("insert into effects values (%s, 1)", (ctx.run_id,))
        await ctx.connection.execute("update accounts set balance = 1")
        await asyncio.sleep(600)

    # Stays in the server, and so does not see that nobody listens any more.
    @flow.step(transactional=True, timeout=timedelta(seconds=1), slug="in_thread")
    def in_thread(ctx: Context) -> None:
        ctx.connection.execute("insert into effects values (%s, 1)", (ctx.run_id,))
        ctx.connection.execute("update accounts set balance = 1")
        if kind == "sync":
            ctx.connection.execute("select pg_sleep(600)")
        release.wait(60)

    async def run() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            handle = await client.start_flow(flow)
            with pytest.raises(RunFailed, match="timeout of 1 s"):
                await handle.result(PATIENCE)
            await asyncio.to_thread(until, lambda: undone(books))

    try:
        asyncio.run(run())
    finally:
        release.set()


def undone(books: psycopg.Connection[Any]) -> bool:
    with books.transaction():
        books.execute("set local lock_timeout = 100")
        try:
            books.execute("select from accounts for update")
        except psycopg.errors.LockNotAvailable:
            raise psycopg.Rollback from None
        return bool(value(books, "select count(*) from effects") == 0)
    return False


@every_kind
def test_a_run_that_is_cancelled_meanwhile_undoes_what_its_handler_wrote(
    db: str, books: psycopg.Connection[Any], kind: str
):
    flow = Flow("cancelled", max_attempts=1)
    began, go_on = threading.Event(), threading.Event()

    if kind == "async":

        @flow.step(transactional=True)
        async def only(ctx: Context) -> None:
            await ctx.connection.execute("insert into effects values (%s, 1)", (ctx.run_id,))
            began.set()
            await asyncio.to_thread(go_on.wait, 30)
    else:

        @flow.step(transactional=True)
        def only(ctx: Context) -> None:
            ctx.connection.execute("insert into effects values (%s, 1)", (ctx.run_id,))
            began.set()
            go_on.wait(30)

    async def run() -> Worker:
        async with running_worker([flow], db) as worker, AsyncClient(db) as client:
            handle = await client.start_flow(flow)
            await asyncio.to_thread(began.wait, 30)
            # Does not wait: the transaction of the handler holds no lock of the run.
            books.execute("set lock_timeout = 2000")
            books.execute("select * from pgflow.cancel_run(%s)", (handle.run_id,))
            go_on.set()
            return worker

    worker = asyncio.run(run())

    until(lambda: undone(books))
    assert worker._slots.free == WorkerOptions().concurrency


@every_kind
def test_tasks_of_a_worker_that_stops_are_undone_and_handed_back(
    db: str, books: psycopg.Connection[Any], kind: str
):
    flow = Flow("stopped", max_attempts=1)
    began = threading.Event()

    if kind == "async":

        @flow.step(transactional=True)
        async def only(ctx: Context) -> None:
            await ctx.connection.execute("insert into effects values (%s, 1)", (ctx.run_id,))
            began.set()
            await ctx.cancelled
    else:

        @flow.step(transactional=True)
        def only(ctx: Context) -> None:
            ctx.connection.execute("insert into effects values (%s, 1)", (ctx.run_id,))
            began.set()
            ctx.cancelled.wait()

    async def run() -> None:
        async with running_worker([flow], db) as worker, AsyncClient(db) as client:
            await client.start_flow(flow)
            await asyncio.to_thread(began.wait, 30)
            worker.stop()

    asyncio.run(run())

    until(lambda: undone(books))
    task = books.execute("select status, attempts_count - released_count from pgflow.step_tasks")
    assert task.fetchone() == ("queued", 0)
    until(lambda: backends(books) == [])


@pytest.fixture
def plain_worker(db: str, books: psycopg.Connection[Any]) -> Iterator[str]:
    """The URL of the database for a user with no more rights than a worker needs."""
    books.execute("create role bookkeeper login in role pgflow_worker")
    books.execute("grant all on effects, accounts to bookkeeper")
    yield db.replace("postgres@", "bookkeeper@")
    books.execute("drop owned by bookkeeper")
    books.execute("drop role bookkeeper")


def test_a_transaction_that_a_lost_worker_left_open_does_not_hold_the_next_attempt_up(
    db: str, books: psycopg.Connection[Any], plain_worker: str
):
    flow = paying("async")

    async def run() -> dict[str, Any]:
        async with running_worker([flow], db):
            pass
        async with AsyncClient(db) as client:
            handle = await client.start_flow(flow, 7)
            # As a worker does that was stopped in the midst of it, and whose connection lives.
            books.execute("select pgflow.register_worker(%s, '{paying}')", (handle.run_id,))
            claim = "select * from pgflow.claim_tasks('{paying}', 1, %s)"
            assert books.execute(claim, (handle.run_id,)).fetchone() is not None
            enter = "select pgflow.enter_attempt(%s, 'pay', 0, 1, 600)"
            with psycopg.connect(plain_worker) as zombie:
                assert zombie.execute(enter, (handle.run_id,)).fetchone() == ([],)
                zombie.execute("update accounts set balance = 1000")
                books.execute("select pgflow.mark_worker_stopped(%s)", (handle.run_id,))
                options = WorkerOptions(heartbeat_interval=timedelta(milliseconds=100))
                async with running_worker([flow], plain_worker, options):
                    result: dict[str, Any] = await handle.result(PATIENCE)
                with pytest.raises(psycopg.OperationalError):
                    zombie.execute("select 1")
                zombie.close()
            # Its attempt is over: it would not end the one that took its place.
            assert books.execute(enter, (handle.run_id,)).fetchone() == (None,)
        return result

    assert asyncio.run(run()) == {"confirm": 7}
    check(books, 1)


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
