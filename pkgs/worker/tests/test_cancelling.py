"""Handlers whose attempt counts no longer are told, and threads can stop by themselves."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import AttemptCancelled, Context, Flow
from pgflow_worker import WorkerOptions
from pgflow_worker.testing import run_flow, running_worker

from tests.support import until

SECOND = timedelta(seconds=1)


def heartbeating(slug: str, **options: Any) -> tuple[Flow[None], threading.Event, list[str]]:
    """Give a flow with a thread that stops only by its heartbeats, and what it was told."""
    flow = Flow(slug, max_attempts=1)
    began = threading.Event()
    told: list[str] = []

    @flow.step(**options)
    def only(ctx: Context) -> None:
        began.set()
        try:
            while True:
                ctx.heartbeat()
                ctx.cancelled.wait(timedelta(milliseconds=10))
        except AttemptCancelled as reason:
            told.append(str(reason))
            raise

    return flow, began, told


def test_a_thread_that_heartbeats_stops_when_its_time_is_up(db: str):
    flow, _, told = heartbeating("out_of_time", timeout=SECOND)
    with pytest.raises(RunFailed, match="timeout of 1 s"):
        asyncio.run(run_flow(flow, None, db))
    assert told == ["the attempt is out of time"]


def test_a_thread_that_heartbeats_stops_when_its_run_is_cancelled(
    db: str, conn: psycopg.Connection
):
    flow, began, told = heartbeating("cancelled_thread")

    async def cancel() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            handle = await client.start_flow(flow)
            await asyncio.to_thread(began.wait, 30)
            conn.execute("select * from pgflow.cancel_run(%s)", (handle.run_id,))
            while not told:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(cancel(), 60))
    assert told == ["the attempt counts no longer: cancelled"]


@pytest.mark.parametrize("is_async", [True, False])
def test_a_handler_that_heartbeats_is_handed_back_when_the_worker_stops(
    db: str, conn: psycopg.Connection, is_async: bool
):
    flow, began, told = heartbeating("stopped")
    if is_async:
        flow = Flow("stopped_coroutine", max_attempts=1)

        @flow.step
        async def only(ctx: Context) -> None:
            began.set()
            try:
                await ctx.cancelled
            except asyncio.CancelledError:
                assert ctx.cancelled.is_set()
                told.append(str(ctx.cancelled.reason))
            ctx.heartbeat()

    async def stop() -> None:
        async with running_worker([flow], db) as worker, AsyncClient(db) as client:
            await client.start_flow(flow)
            await asyncio.to_thread(began.wait, 30)
            worker.stop()

    asyncio.run(asyncio.wait_for(stop(), 60))
    until(lambda: told)
    assert told == ["the worker stops"]
    row = conn.execute("select status, attempts_count - released_count from pgflow.step_tasks")
    assert row.fetchone() == ("queued", 0)


def test_an_async_handler_knows_that_its_time_is_up_when_it_is_stopped(db: str):
    flow = Flow("async_timeout", max_attempts=1)
    told: list[Any] = []

    @flow.step(timeout=SECOND)
    async def only(ctx: Context) -> None:
        try:
            await asyncio.sleep(600)
        finally:
            told.append(ctx.cancelled.reason)

    with pytest.raises(RunFailed, match="timeout of 1 s"):
        asyncio.run(run_flow(flow, None, db))
    assert told == ["the attempt is out of time"]


def test_a_heartbeat_out_of_time_ends_an_async_handler_as_its_timeout_does(db: str):
    flow = Flow("busy_loop", max_attempts=1)

    @flow.step(timeout=SECOND)
    async def only(ctx: Context) -> None:
        # It never lets go of the loop, so no timeout of the loop can reach it.
        while True:
            ctx.heartbeat()

    with pytest.raises(RunFailed, match="timeout of 1 s"):
        asyncio.run(run_flow(flow, None, db, options=WorkerOptions(concurrency=1)))
