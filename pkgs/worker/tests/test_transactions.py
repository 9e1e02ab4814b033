"""What a transactional handler writes, its output and what follows: together, or not at all."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import Context, Flow, RetryAfter
from pgflow_worker import Worker, WorkerOptions
from pgflow_worker.testing import run_flow, running_worker

from pkgs.worker.tests.paying import PATIENCE, backends, check, every_kind, paying, value
from tests.support import until
from tests.support.proxy import Fault, Proxy, proxy


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
          -- The worker has undone the handler's settings by then, and what a pooler set with them.
          if current_setting('application_name') in ('pgflow transaction', '')
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
