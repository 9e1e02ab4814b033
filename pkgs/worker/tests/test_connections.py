"""What a worker does when connections break, answers are lost, or others take its place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient
from pgflow_client.worker_protocol import DatabaseError, Link, is_transient
from pgflow_core_sql import Migrator
from pgflow_dsl import Context, Flow
from pgflow_worker import WorkerOptions
from pgflow_worker._heartbeat import Heartbeat
from pgflow_worker.testing import run_flow, running_worker

from tests.support import until

HOUR = timedelta(hours=1)
PATIENCE = timedelta(seconds=30)


def echo(slug: str = "echo", **options: Any) -> Flow[int]:
    flow = Flow(slug, input=int, **options)

    @flow.step
    async def only(number: int = flow.input) -> int:
        return number

    return flow


def backends(conn: psycopg.Connection[Any], name: str) -> set[int]:
    rows = conn.execute(
        "select pid from pg_stat_activity"
        " where application_name = %s and datname = current_database()",
        (f"pgflow {name}",),
    )
    return {row[0] for row in rows}


def cut(conn: psycopg.Connection[Any], pids: set[int]) -> None:
    conn.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) as pid", (list(pids),))


def total(conn: psycopg.Connection[Any], expression: str) -> int:
    row = conn.execute(f"select {expression} from pgflow.step_tasks").fetchone()
    return int(row[0] or 0) if row else 0


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_is_served(postgres: EmbeddedServer, encoding: str):
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute(
            f"create database {encoding} encoding {encoding} locale 'C' template template0"
        )
    url = postgres.url(encoding.lower())
    Migrator(url).migrate()
    flow = Flow("letters", input=str)

    @flow.step
    async def only(text: str = flow.input) -> str:
        return text.upper()

    assert asyncio.run(run_flow(flow, "gr\u00fcn", url)) == {"only": "GR\u00dcN"}


@pytest.mark.direct("nothing listens there")
def test_a_listener_that_is_cut_off_listens_again(db: str, conn: psycopg.Connection[Any]):
    flow = echo()

    async def listen() -> Any:
        options = WorkerOptions(poll_interval=HOUR)
        async with running_worker([flow], db, options), AsyncClient(db) as client:
            old = await asyncio.to_thread(until, lambda: backends(conn, "ear"))
            cut(conn, old)
            await asyncio.to_thread(until, lambda: backends(conn, "ear") - old)
            handle = await client.start_flow(flow, 1)
            return await handle.result(PATIENCE)

    assert asyncio.run(listen()) == {"only": 1}


def test_delayed_tasks_come_without_a_notification(db: str):
    flow = Flow("delayed", input=int)

    @flow.step(start_delay=timedelta(seconds=1))
    async def only(number: int = flow.input) -> int:
        return number

    async def wait() -> Any:
        options = WorkerOptions(poll_interval=HOUR)
        async with running_worker([flow], db, options), AsyncClient(db) as client:
            handle = await client.start_flow(flow, 1)
            return await handle.result(PATIENCE)

    assert asyncio.run(wait()) == {"only": 1}


@asynccontextmanager
async def held(
    db: str, slug: str, **options: Any
) -> AsyncIterator[tuple[AsyncClient, Flow[int], asyncio.Event, Any]]:
    """Give a worker that has done a task and is at work on another until the event is set."""
    flow = Flow(slug, input=int, max_attempts=1)
    began, release = asyncio.Event(), asyncio.Event()

    @flow.step
    async def only(number: int = flow.input) -> int:
        if number > 0:
            began.set()
            await release.wait()
        return number

    async with (
        running_worker([flow], db, WorkerOptions(**options)) as worker,
        AsyncClient(db) as client,
    ):
        await (await client.start_flow(flow, 0)).wait(PATIENCE)
        await client.start_flow(flow, 1)
        await began.wait()
        yield client, flow, release, worker


@pytest.mark.direct("it cuts a connection that the pooler may have lent to others")
def test_a_claim_whose_answer_was_lost_is_handed_back(db: str, conn: psycopg.Connection[Any]):
    async def lose() -> None:
        async with held(db, "lost", concurrency=1, lanes=1) as (client, flow, release, worker):
            handles = await client.start_flows(flow, [2, 3])
            # As a claim of the worker would leave them whose answer never came.
            claimed = conn.execute(
                "select count(*) from pgflow.claim_tasks('{lost}', 2, %s)", (worker.worker_id,)
            ).fetchone()
            assert claimed == (2,)
            # Cut while it is at rest, it is noticed when the result is reported.
            cut(conn, backends(conn, "lane 1"))
            release.set()
            for handle in handles:
                await handle.wait(PATIENCE)

    asyncio.run(lose())

    assert total(conn, "sum(released_count)") == 2
    assert total(conn, "count(*) filter (where status <> 'completed')") == 0


def test_a_worker_that_the_database_has_forgotten_registers_again(
    db: str, conn: psycopg.Connection[Any]
):
    async def forget() -> None:
        async with held(db, "forgotten") as (client, flow, release, _):
            conn.execute("delete from pgflow.workers")
            release.set()
            handle = await client.start_flow(flow, 2)
            await handle.wait(PATIENCE)

    asyncio.run(forget())

    assert conn.execute("select count(*) from pgflow.workers").fetchone() == (1,)
    assert total(conn, "count(*) filter (where status <> 'completed')") == 0


def test_a_busy_worker_that_was_forgotten_is_registered_by_its_heartbeat(
    db: str, conn: psycopg.Connection[Any]
):
    def is_known() -> bool:
        return conn.execute("select from pgflow.workers").fetchone() is not None

    async def forget() -> None:
        options = {"concurrency": 1, "heartbeat_interval": timedelta(seconds=0.1)}
        async with held(db, "busy", **options) as (_, _, release, _):
            conn.execute("delete from pgflow.workers")
            await asyncio.to_thread(until, is_known)
            release.set()

    asyncio.run(forget())


def test_a_late_result_is_refused_and_told(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    flow = Flow("fenced", input=int, base_delay=timedelta(0))
    began, cancelled = asyncio.Event(), asyncio.Event()

    @flow.step
    async def only(ctx: Context, number: int = flow.input) -> int:
        if ctx.attempt > 1:
            return number
        began.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            cancelled.set()
        return -1

    async def fence() -> Any:
        options = WorkerOptions(concurrency=2, heartbeat_interval=timedelta(seconds=0.1))
        async with running_worker([flow], db, options) as worker, AsyncClient(db) as client:
            handle = await client.start_flow(flow, 1)
            await began.wait()
            # As if it had been silent for longer than its lease.
            conn.execute("update pgflow.workers set stopped_at = now()")
            await asyncio.wait_for(cancelled.wait(), 30)
            result = await handle.result(PATIENCE)
            await asyncio.to_thread(until, lambda: "was not taken" in caplog.text or told(caplog))
            conn.execute("update pgflow.workers set stopped_at = null")
            worker.drain()
        assert worker._slots.free == 2
        return result

    assert asyncio.run(fence()) == {"only": 1}


def told(caplog: pytest.LogCaptureFixture) -> bool:
    return "were not taken" in caplog.text


def test_a_heartbeat_takes_the_tasks_of_lost_workers_but_not_right_after_a_long_silence(
    db: str, conn: psycopg.Connection[Any]
):
    conn.execute("select pgflow.create_flow('lost_one'), pgflow.add_step('lost_one', 'only')")

    def register() -> str:
        worker_id = str(uuid4())
        conn.execute("select pgflow.register_worker(%s, '{lost_one}')", (worker_id,))
        return worker_id

    def lose_one() -> None:
        worker_id = register()
        conn.execute("select pgflow.start_flow('lost_one', '1')")
        conn.execute("select * from pgflow.claim_tasks('{lost_one}', 1, %s)", (worker_id,))
        conn.execute("select pgflow.mark_worker_stopped(%s)", (worker_id,))

    def beats_of(worker_id: str) -> Any:
        row = conn.execute(
            "select last_heartbeat_at from pgflow.workers where worker_id = %s", (worker_id,)
        ).fetchone()
        return row and row[0]

    def lost() -> int:
        return total(conn, "count(*) filter (where status = 'started')")

    async def beat() -> None:
        worker_id = register()
        heart = Heartbeat(db, worker_id, 0.02, 3600, on_deprecated=bool, on_unknown=bool)
        heart.start()
        lose_one()
        await asyncio.to_thread(until, lambda: lost() == 0)

        # A moment without a connection makes nobody look lost.
        old = backends(conn, "heartbeat")
        cut(conn, old)
        await asyncio.to_thread(until, lambda: backends(conn, "heartbeat") - old)
        lose_one()
        await asyncio.to_thread(until, lambda: lost() == 0)

        assert heart.beaten_at is not None
        heart.beaten_at -= 3600
        last = beats_of(worker_id)
        await asyncio.to_thread(until, lambda: beats_of(worker_id) != last)
        lose_one()
        for _ in range(5):
            last = beats_of(worker_id)
            await asyncio.to_thread(until, lambda last=last: beats_of(worker_id) != last)
        assert lost() == 1
        await heart.stop()

    asyncio.run(beat())


def test_a_failure_of_the_server_that_lies_in_no_result_ends_no_task(
    db: str, conn: psycopg.Connection[Any]
):
    flow = Flow("tripped", input=list[int], base_delay=timedelta(0))

    @flow.map(over=flow.input)
    async def each(number: int) -> int:
        return number

    conn.execute("""
        create function trip() returns trigger language plpgsql as $$
        begin
          if new.status = 'completed' and new.task_index = 1 and new.attempts_count = 1 then
            raise exception 'not this time';
          end if;
          return new;
        end
        $$;
        create trigger trip before update on pgflow.step_tasks
          for each row execute function trip();
    """)

    async def serve() -> Any:
        async with running_worker([flow], db), AsyncClient(db) as client:
            handle = await client.start_flow(flow, [0, 1, 2, 3])
            return await handle.result(PATIENCE)

    assert asyncio.run(serve()) == {"each": [0, 1, 2, 3]}
    assert total(conn, "max(attempts_count)") == 2
    assert total(conn, "sum(attempts_count)") == 5


def test_a_link_serves_one_call_at_a_time(db: str):
    async def count() -> int:
        link = Link(db, "test", prepared_statements=False)
        running = most = 0

        async def call(conn: Any) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await conn.execute("select pg_sleep(0.01)")
            running -= 1

        await asyncio.gather(*[link.call(call) for _ in range(5)])
        await link.close()
        return most

    assert asyncio.run(count()) == 1


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select pg_terminate_backend(pg_backend_pid())", True),
        ("set transaction_read_only = on; create table t ()", True),
        ("set statement_timeout = 1; select pg_sleep(1)", True),
        ("select 1/0", False),
        ("select '{'::jsonb", False),
        ("select no_such_function()", False),
    ],
)
def test_errors_that_may_go_away_are_known_from_those_that_stay(
    db: str, statement: Any, expected: bool
):
    with psycopg.connect(db, autocommit=True) as conn, pytest.raises(DatabaseError) as raised:
        conn.execute(statement)
    assert is_transient(raised.value) is expected


def test_a_statement_that_was_prepared_before_a_change_is_prepared_again(db: str):
    async def call() -> list[Any]:
        link = Link(db, "test", prepared_statements=True)
        rows: list[Any] = []

        async def read(conn: Any) -> None:
            rows.append(await (await conn.execute("select * from changing")).fetchall())

        async def change(conn: Any) -> None:
            await conn.execute("alter table changing add b int")

        async def create(conn: Any) -> None:
            await conn.execute("create table changing (a int)")
            await conn.execute("insert into changing values (1)")

        await link.call(create)
        await link.call(read)
        await link.call(change)
        await link.call(read)
        await link.close()
        return rows

    assert asyncio.run(call()) == [[(1,)], [(1, None)]]


def test_what_a_call_cannot_do_at_all_is_told_at_once(db: str):
    async def call() -> None:
        link = Link(db, "test", prepared_statements=None)

        async def misspell(conn: Any) -> None:
            await conn.execute("select nothing_of_the_kind()")

        try:
            with pytest.raises(DatabaseError, match="nothing_of_the_kind"):
                await link.call(misspell, insists=True)
        finally:
            await link.close()

    asyncio.run(call())
