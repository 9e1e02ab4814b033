"""Handlers that cancel what is not theirs, or will not be cancelled: what it does to a worker."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import Flow
from pgflow_worker import LoopCancelled, Worker
from pgflow_worker.testing import run_flow

Connection = psycopg.Connection[Any]

PATIENCE = timedelta(seconds=30)
TASKS = """
select flow_slug, status, attempts_count - released_count from pgflow.step_tasks order by 1
"""


def resting() -> tuple[Flow[None], asyncio.Event]:
    """A flow whose handler never ends."""
    flow, began = Flow("resting"), asyncio.Event()

    @flow.step
    async def rest() -> None:
        began.set()
        await asyncio.sleep(600)

    return flow, began


async def cancel_all() -> None:
    for task in asyncio.all_tasks():
        task.cancel()


async def cancel_all_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@pytest.mark.parametrize("cancel", [cancel_all, cancel_all_others])
def test_a_handler_that_cancels_all_tasks_of_the_loop_ends_its_worker_in_good_order(
    db: str, conn: Connection, cancel: Callable[[], Coroutine[Any, Any, None]]
):
    other, began = resting()
    flow, started = Flow("careless"), asyncio.Event()

    @flow.step
    async def only() -> None:
        await began.wait()
        await started.wait()
        await cancel()
        await asyncio.sleep(600)

    async def serve() -> None:
        worker = Worker([flow, other], db)

        async def start() -> None:
            await worker.wait_ready()
            async with AsyncClient(db) as client:
                await client.start_flow(other)
                await client.start_flow(flow)

        starting = asyncio.create_task(start())
        starting.add_done_callback(lambda _: started.set())
        await worker.run()

    with pytest.raises(LoopCancelled, match="'only' of flow 'careless'"):
        asyncio.run(serve())

    # Whoever has done it has failed, or it would end one worker after the other.
    assert conn.execute(TASKS).fetchall() == [("careless", "queued", 1), ("resting", "queued", 0)]
    [told] = conn.execute("select error_message from pgflow.task_attempts").fetchone() or [""]
    assert "has cancelled all tasks" in told
    assert conn.execute("select stopped_at is not null from pgflow.workers").fetchone() == (True,)


def test_a_worker_whose_program_ends_hands_its_tasks_back(db: str, conn: Connection):
    flow, began = resting()

    async def main() -> None:
        worker = Worker([flow], db)
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        async with AsyncClient(db) as client:
            await client.start_flow(flow)
        await began.wait()
        assert not serving.done()

    # Its end cancels all that still runs.
    asyncio.run(main())
    assert conn.execute(TASKS).fetchall() == [("resting", "queued", 0)]


def test_a_handler_that_cancels_itself_or_another_fails_only_those_attempts(
    db: str, conn: Connection
):
    flow = Flow("rude", max_attempts=2, base_delay=timedelta(0))
    victims: list[asyncio.Task[Any]] = []
    attempts: list[str] = []

    def oneself() -> asyncio.Task[Any]:
        task = asyncio.current_task()
        assert task is not None
        return task

    @flow.step
    async def victim() -> str:
        attempts.append("victim")
        if attempts.count("victim") == 1:
            victims.append(oneself())
            await asyncio.sleep(600)
        return "whole"

    @flow.step
    async def culprit() -> str:
        attempts.append("culprit")
        if attempts.count("culprit") == 1:
            while not victims:
                await asyncio.sleep(0.01)
            victims[0].cancel()
            oneself().cancel()
            await asyncio.sleep(600)
        return "whole"

    assert asyncio.run(run_flow(flow, None, db)) == {"victim": "whole", "culprit": "whole"}
    failed = conn.execute("select error_message from pgflow.task_attempts").fetchall()
    assert failed == [("CancelledError",), ("CancelledError",)]


def test_a_handler_that_swallows_the_cancellation_of_its_timeout_has_failed_by_it(
    db: str, caplog: pytest.LogCaptureFixture
):
    flow = Flow("deaf", max_attempts=1)

    @flow.step(timeout=timedelta(seconds=1))
    async def only() -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(600)
        return "as if nothing had been"

    with pytest.raises(RunFailed, match="timeout of 1 s"):
        asyncio.run(run_flow(flow, None, db))
    [warning] = [each for each in caplog.records if "has caught" in each.message]
    assert "step only of flow deaf" in warning.message
    assert warning.run_id in warning.message
