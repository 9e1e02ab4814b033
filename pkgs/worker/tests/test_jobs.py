"""Jobs from their first line to their last retry: fed from Python, SQL and triggers."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, Client, RunFailed
from pgflow_dsl import Context, FinalError, Flow, job
from pgflow_worker.testing import run_flow, running_worker

PATIENCE = timedelta(seconds=30)


def done(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute("select count(*) from pgflow.runs where status = 'started'").fetchone()
    return row == (0,)


async def until_done(conn: psycopg.Connection[Any]) -> None:
    while not done(conn):
        await asyncio.sleep(0.01)


def test_a_function_is_a_queue_that_python_sql_and_triggers_feed(
    db: str, conn: psycopg.Connection[Any]
):
    greeted: Counter[str] = Counter()

    @job
    async def greet(name: str) -> str:
        greeted[name] += 1
        return f"Hello, {name}"

    # Jobs and flows share one worker.
    flow = Flow("beside", input=int)

    @flow.step
    def only(number: int = flow.input) -> int:
        return number

    async def feed() -> None:
        async with running_worker([greet, flow], db), AsyncClient(db) as client:
            run = await client.send(greet, "Ada")
            assert await run.result(PATIENCE) == "Hello, Ada"
            many = await client.send_many(greet, ["Bob", "Cyd"])
            assert [await each.result(PATIENCE) for each in many] == ["Hello, Bob", "Hello, Cyd"]
            await client.start_flow(flow, 1)
            conn.execute("select pgflow.send('greet', '\"Dee\"')")
            conn.execute("""
                create table users (name text);
                create trigger greet after insert on users referencing new table as sent_rows
                  for each statement execute function pgflow.send_rows('greet', 'name');
                insert into users values ('Eve'), ('Fay')
            """)
            await until_done(conn)

    asyncio.run(asyncio.wait_for(feed(), 60))
    assert greeted == Counter(["Ada", "Bob", "Cyd", "Dee", "Eve", "Fay"])


def test_what_is_sent_twice_with_one_key_is_done_once(db: str, conn: psycopg.Connection[Any]):
    @job
    def count(number: int) -> int:
        return number

    async def feed() -> None:
        async with running_worker([count], db):
            with Client(db) as client:
                first = client.send(count, 1, idempotency_key="once")
                again = client.send(count, 2, idempotency_key="once")
                assert again.run_id == first.run_id
                many = client.send_many(count, [3, 4], idempotency_keys=["once", "twice"])
                assert many[0].run_id == first.run_id
            await until_done(conn)

    asyncio.run(asyncio.wait_for(feed(), 60))
    assert conn.execute("select count(*) from pgflow.runs").fetchone() == (2,)


def test_what_is_sent_with_a_delay_waits(db: str, conn: psycopg.Connection[Any]):
    @job
    async def later(number: int) -> None: ...

    async def feed() -> None:
        async with running_worker([later], db), AsyncClient(db) as client:
            late = await client.send(later, 1, delay=timedelta(seconds=1))
            await (await client.send(later, 2)).result(PATIENCE)
            await late.result(PATIENCE)

    asyncio.run(feed())
    waited = conn.execute("""
        select max(task.started_at - run.started_at) >= interval '1 second'
        from pgflow.step_tasks as task join pgflow.runs as run using (run_id)
    """)
    assert waited.fetchone() == (True,)


@pytest.mark.parametrize(("limit", "backoff"), [(1, "fixed"), (3, "fixed"), (3, "exponential")])
def test_a_job_is_tried_as_often_as_it_says_and_waits_between(
    db: str, conn: psycopg.Connection[Any], limit: int, backoff: Any
):
    @job(max_attempts=limit, backoff=backoff, base_delay=timedelta(seconds=100))
    async def fail(number: int) -> None:
        raise ValueError("never")

    with pytest.raises(RunFailed, match="never"):
        asyncio.run(run_flow(fail, 1, db))

    waits = conn.execute("""
        select round(extract(epoch from retry_at - failed_at)) from pgflow.task_attempts
        order by attempt
    """).fetchall()
    expected = [100, 100] if backoff == "fixed" else [200, 400]
    assert [wait for [wait] in waits] == [*expected[: limit - 1], None]


def test_a_job_gives_up_at_once_where_it_knows_better(db: str, conn: psycopg.Connection[Any]):
    @job(max_attempts=9)
    def give_up(ctx: Context) -> None:
        raise FinalError("no use")

    with pytest.raises(RunFailed, match="no use"):
        asyncio.run(run_flow(give_up, None, db))
    assert conn.execute("select count(*) from pgflow.task_attempts").fetchone() == (1,)
