"""What users' tests have: flows in the process of the test."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from pgflow_client import AsyncClient, RunFailed, SchemaMissing, WaitTimeout
from pgflow_dsl import Context, Flow, InputInvalid, job
from pgflow_worker import FlowsInvalid, WorkerState
from pgflow_worker.testing import run_flow, running_worker

greeting = Flow("greeting", input=str)


@greeting.step
async def greet(name: str = greeting.input) -> str:
    return f"Hello, {name}!"


@greeting.step
def count(text: str = greet.output) -> int:
    if "Nobody" in text:
        raise ValueError("nobody is there")
    return len(text)


@job(max_attempts=1)
async def shout(text: str) -> str:
    return text.upper()


def test_a_flow_runs_from_its_input_to_its_output(db: str):
    assert asyncio.run(run_flow(greeting, "Ada", db)) == {"count": 11}


def test_a_job_runs_as_the_flow_it_is(db: str):
    assert asyncio.run(run_flow(shout, "hey", db)) == "HEY"


def test_what_fails_a_run_comes_out(db: str):
    flow = Flow("failing", max_attempts=1)

    @flow.step
    async def only() -> None:
        raise ValueError("nobody is there")

    with pytest.raises(RunFailed, match="nobody is there"):
        asyncio.run(run_flow(flow, None, db))


def test_an_input_that_does_not_fit_starts_nothing(db: str, conn: psycopg.Connection):
    wrong: object = 5
    with pytest.raises(InputInvalid):
        asyncio.run(run_flow(greeting, wrong, db))  # type: ignore[arg-type] # that is tested
    assert conn.execute("select count(*) from pgflow.runs").fetchone() == (0,)


def test_a_worker_serves_while_the_block_runs(db: str, conn: psycopg.Connection):
    async def serve() -> WorkerState:
        async with running_worker([greeting, shout], db) as worker, AsyncClient(db) as client:
            assert worker.state is WorkerState.RUNNING
            handles = [await client.start_flow(shout, "a"), await client.start_flow(greeting, "b")]
            assert [await handle.result() for handle in handles] == ["A", {"count": 9}]
        return worker.state

    assert asyncio.run(serve()) is WorkerState.STOPPED
    assert conn.execute("select stopped_at is not null from pgflow.workers").fetchone() == (True,)


def test_a_test_that_fails_does_not_wait_for_its_handlers(db: str, conn: psycopg.Connection):
    flow = Flow("endless")
    began = asyncio.Event()

    @flow.step
    async def only() -> None:
        began.set()
        await asyncio.sleep(600)

    async def fail() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            await client.start_flow(flow)
            await began.wait()
            raise AssertionError("the test's own")

    with pytest.raises(AssertionError, match="the test's own"):
        asyncio.run(fail())
    assert conn.execute("select status from pgflow.step_tasks").fetchone() == ("queued",)


def test_a_worker_that_cannot_start_says_why(db: str, conn: psycopg.Connection):
    async def serve(flows: list[Flow[None]]) -> None:
        async with running_worker(flows, db):
            pass

    with pytest.raises(FlowsInvalid):
        asyncio.run(serve([]))
    flow = Flow("unborn")

    @flow.step
    async def only() -> None: ...

    conn.execute("drop schema pgflow cascade")
    with pytest.raises(SchemaMissing, match="pgflow install"):
        asyncio.run(serve([flow]))


def test_nobody_waits_for_retries_and_delayed_starts(db: str):
    flow = Flow("patient", input=int, max_attempts=4, base_delay=timedelta(days=1))

    @flow.step(start_delay=timedelta(days=1))
    async def later(needed: int = flow.input) -> int:
        return needed

    @flow.step
    async def third(ctx: Context, needed: int = later.output) -> int:
        if ctx.attempt < needed:
            raise ValueError("not yet")
        return ctx.attempt

    assert asyncio.run(run_flow(flow, 3, db)) == {"third": 3}


def test_delays_that_are_to_be_kept_are_waited_for(db: str):
    flow = Flow("delayed")

    @flow.step(start_delay=timedelta(days=1))
    async def later() -> None: ...

    with pytest.raises(WaitTimeout):
        asyncio.run(
            run_flow(flow, None, db, skip_delays=False, patience=timedelta(milliseconds=200))
        )
