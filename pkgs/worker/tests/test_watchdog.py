"""A handler that holds up the event loop is named, and stops no heartbeat."""

import asyncio
import logging
import sys
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient
from pgflow_dsl import Flow
from pgflow_worker import WorkerOptions
from pgflow_worker.testing import running_worker

from tests.support import until

OPTIONS = WorkerOptions(
    blocked_after=timedelta(milliseconds=100), heartbeat_interval=timedelta(milliseconds=100)
)
PATIENCE = timedelta(seconds=30)


def block_until_told(db: str, caplog: pytest.LogCaptureFixture) -> None:
    """Hold up the loop until the log says so, and two more heartbeats have come through."""
    until(lambda: "the event loop has been blocked" in caplog.text)
    # It asks often, and behind a pooler what was prepared is soon another's.
    with psycopg.connect(db, autocommit=True, prepare_threshold=None) as conn:
        for _ in range(2):
            last = beat(conn)
            until(lambda last=last: beat(conn) != last)


def beat(conn: psycopg.Connection[Any]) -> Any:
    return conn.execute("select last_heartbeat_at from pgflow.workers").fetchone()


def serve(flow: Flow[None], db: str, caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """Run the flow, and give what the log says of a blocked loop."""

    async def run() -> None:
        async with running_worker([flow], db, OPTIONS), AsyncClient(db) as client:
            handle = await client.start_flow(flow)
            await handle.result(PATIENCE)
            await asyncio.to_thread(until, lambda: "the event loop goes on" in caplog.text)

    asyncio.run(run())
    return next(each for each in caplog.records if "has been blocked" in each.message)


def test_a_handler_that_blocks_the_loop_is_named_with_the_place_where_it_stands(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    flow = Flow("blocking")

    @flow.step
    async def hold_up() -> None:
        block_until_told(db, caplog)

    record = serve(flow, db, caplog)

    run = conn.execute("select run_id from pgflow.runs").fetchone()
    assert run is not None
    assert f"by step hold_up of flow blocking in run {run[0]}" in record.message
    assert record.message.count("block_until_told(db, caplog)") == 1
    assert "in until" in record.message
    assert "asyncio" not in record.message.partition("stands at")[2]
    assert vars(record)["step_slug"] == "hold_up"
    assert vars(record)["blocked"] >= 0.1


def test_what_a_handler_has_started_is_named_as_far_as_can_be_known(
    db: str, caplog: pytest.LogCaptureFixture
):
    flow = Flow("indirect")

    @flow.step
    async def hold_up() -> None:
        async def inner() -> None:
            block_until_told(db, caplog)

        await asyncio.create_task(inner())

    record = serve(flow, db, caplog)

    if sys.version_info >= (3, 12):
        assert "by step hold_up of flow indirect" in record.message
    assert "in inner" in record.message


def test_a_callback_that_blocks_the_loop_is_shown(db: str, caplog: pytest.LogCaptureFixture):
    flow = Flow("called_back")

    @flow.step
    async def hold_up() -> None:
        asyncio.get_running_loop().call_soon(block_until_told, db, caplog)

    record = serve(flow, db, caplog)

    assert "none of the handlers themselves" in record.message
    assert "in block_until_told" in record.message


def test_a_loop_that_goes_on_is_not_complained_of(db: str, caplog: pytest.LogCaptureFixture):
    flow = Flow("patient")

    @flow.step
    async def sleep() -> None:
        await asyncio.sleep(0.5)

    @flow.step
    def in_thread() -> None:
        import time

        time.sleep(0.5)

    async def run() -> None:
        options = WorkerOptions(blocked_after=timedelta(milliseconds=400))
        async with running_worker([flow], db, options), AsyncClient(db) as client:
            await (await client.start_flow(flow)).result(PATIENCE)

    asyncio.run(run())
    # A machine that is this busy holds up the loop itself; no handler is to blame for it.
    assert "by step" not in caplog.text
