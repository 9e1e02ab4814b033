"""Leases: how soon others take the tasks of a lost worker, and what it learns when it is back."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient
from pgflow_dsl import Context, Flow
from pgflow_worker import WorkerOptions
from pgflow_worker.testing import running_worker

from tests.support import until
from tests.support.proxy import Proxy, proxy

PATIENCE = timedelta(seconds=60)


@pytest.fixture
def way(postgres: EmbeddedServer) -> Iterator[Proxy]:
    with proxy(postgres) as started:
        yield started


def test_by_default_the_tasks_of_a_lost_worker_are_claimable_within_ten_seconds():
    options = WorkerOptions()
    # Its lease runs out, and then another looks for it, as each does at each heartbeat.
    assert options.lease + options.heartbeat_interval < timedelta(seconds=10)


def test_a_worker_that_was_cut_off_finds_its_attempt_fenced_and_says_so(
    db: str, conn: psycopg.Connection[Any], way: Proxy, caplog: pytest.LogCaptureFixture
):
    flow = Flow("cut_off", input=int, timeout=timedelta(hours=1), base_delay=timedelta(hours=1))
    began, told = asyncio.Event(), list[str]()

    @flow.step
    async def only(ctx: Context, number: int = flow.input) -> int:
        if ctx.attempt > 1:
            return ctx.attempt
        began.set()
        try:
            await ctx.cancelled
        except asyncio.CancelledError:
            told.append(str(ctx.cancelled.reason))
            raise
        return 0

    async def cut_off() -> Any:
        short = WorkerOptions(lease=timedelta(seconds=1), heartbeat_interval=timedelta(seconds=0.3))
        quick = WorkerOptions(heartbeat_interval=timedelta(seconds=0.2))
        async with (
            AsyncClient(db) as client,
            running_worker([flow], way.url(conn.info.dbname), short),
        ):
            handle = await client.start_flow(flow, 1)
            await began.wait()
            way.refuse()
            async with running_worker([flow], db, quick):
                result = await handle.result(PATIENCE)
            way.heal()
            await asyncio.to_thread(until, lambda: told, timedelta(seconds=30))
            await asyncio.to_thread(until, lambda: "longer than the lease" in caplog.text)
        return result

    # The second attempt had the result, though the timeout of the first was an hour away.
    assert asyncio.run(asyncio.wait_for(cut_off(), 100)) == {"only": 2}
    assert told == ["the attempt counts no longer: stale_attempt"]
    warned = [each for each in caplog.records if "stopping step only" in each.message]
    assert [each.levelname for each in warned] == ["WARNING"]
