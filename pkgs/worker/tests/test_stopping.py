"""Ends of a worker: whatever it is at, it ends in bounded time and leaves nothing held."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, SchemaMissing
from pgflow_core_sql import Migrator
from pgflow_dsl import Flow
from pgflow_worker import Worker, WorkerOptions, WorkerState, WorkerStateInvalid
from pgflow_worker.testing import running_worker

from tests.support import throwaway_server, until

LONG = 60


def endless(slug: str = "endless") -> tuple[Flow[int], asyncio.Event]:
    flow = Flow(slug, input=int, max_attempts=1)
    began = asyncio.Event()

    @flow.step
    async def only(number: int = flow.input) -> int:
        began.set()
        await asyncio.sleep(600)
        return number

    return flow, began


def task(conn: psycopg.Connection[Any]) -> tuple[Any, ...] | None:
    return conn.execute(
        "select status, attempts_count - released_count from pgflow.step_tasks"
    ).fetchone()


def test_a_run_that_is_cancelled_hands_its_tasks_back(db: str, conn: psycopg.Connection[Any]):
    flow, began = endless()

    async def cancel() -> WorkerState:
        worker = Worker([flow], db, WorkerOptions(shutdown_timeout=timedelta(hours=1)))
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        async with AsyncClient(db) as client:
            await client.start_flow(flow, 1)
        await began.wait()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(serving, LONG)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return worker.state

    assert asyncio.run(cancel()) is WorkerState.STOPPED
    assert task(conn) == ("queued", 0)
    assert conn.execute("select stopped_at is not null from pgflow.workers").fetchone() == (True,)


def test_a_handler_that_ignores_its_cancellation_does_not_hold_the_stop_up(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    flow = Flow("stubborn", input=int)
    began, release = asyncio.Event(), asyncio.Event()

    @flow.step
    async def only(number: int = flow.input) -> int:
        began.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return number

    async def stop() -> None:
        async with running_worker([flow], db) as worker:
            async with AsyncClient(db) as client:
                await client.start_flow(flow, 1)
            await began.wait()
            worker.stop()
        release.set()

    asyncio.run(asyncio.wait_for(stop(), LONG))

    assert task(conn) == ("queued", 0)
    assert "handing back 1 tasks" in caplog.text


@pytest.mark.parametrize("at_once", [False, True])
def test_a_claim_that_is_under_way_when_the_stop_begins_is_not_lost(
    db: str, conn: psycopg.Connection[Any], at_once: bool
):
    flow = Flow("late", input=int, max_attempts=1)

    @flow.step
    async def only(number: int = flow.input) -> int:
        return number

    def is_claiming() -> bool:
        with psycopg.connect(db) as other:
            waiting = other.execute(
                "select from pg_stat_activity where wait_event_type = 'Lock'"
                " and application_name = 'pgflow hunter' and datname = current_database()"
            ).fetchone()
        return waiting is not None

    async def stop() -> None:
        async with running_worker([flow], db, WorkerOptions(listen=False)) as worker:
            with conn.transaction():
                conn.execute("select pgflow.start_flow('late', '1')")
                conn.execute("lock table pgflow.step_tasks in access exclusive mode")
                await asyncio.to_thread(until, is_claiming)
                if at_once:
                    worker.stop()
                else:
                    worker.drain()
                # Time for a wrong worker to go without its claim.
                for _ in range(20):
                    await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(stop(), LONG))

    assert task(conn) == (("queued", 0) if at_once else ("completed", 1))


def test_results_that_wait_for_the_database_are_recorded_before_the_end(
    db: str, conn: psycopg.Connection[Any]
):
    flow = Flow("blocked", input=int)
    finished = asyncio.Event()

    @flow.step
    async def only(number: int = flow.input) -> int:
        finished.set()
        return number

    async def drain() -> None:
        async with running_worker([flow], db) as worker, AsyncClient(db) as client:
            handle = await client.start_flow(flow, 1)
            with psycopg.connect(db) as other:
                other.execute(
                    "select from pgflow.runs where run_id = %s for update", (handle.run_id,)
                )
                await finished.wait()
                worker.drain()
                for _ in range(20):
                    await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(drain(), LONG))

    assert task(conn) == ("completed", 1)


def test_a_drain_while_the_server_is_down_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("pgflow_worker._ending._LAST_WORDS", 0.5)
    flow, began = endless()
    with throwaway_server() as server:
        url = server.url()
        Migrator(url).migrate()

        async def drain() -> WorkerState:
            options = WorkerOptions(shutdown_timeout=timedelta(seconds=0.5))
            async with running_worker([flow], url, options) as worker:
                async with AsyncClient(url) as client:
                    await client.start_flow(flow, 1)
                await began.wait()
                server.stop()
                worker.drain()
            return worker.state

        assert asyncio.run(asyncio.wait_for(drain(), LONG)) is WorkerState.STOPPED
    assert "was not told everything" in caplog.text


def test_a_worker_that_is_told_to_stop_before_it_starts_claims_nothing(
    db: str, conn: psycopg.Connection[Any]
):
    flow, began = endless()

    async def stop_then_run() -> None:
        worker = Worker([flow], db)
        worker.stop()
        await asyncio.wait_for(worker.run(), LONG)
        with pytest.raises(WorkerStateInvalid, match="stopped"):
            await worker.wait_ready()
        with pytest.raises(WorkerStateInvalid, match="make a new one"):
            await worker.run()

    asyncio.run(stop_then_run())

    assert not began.is_set()


def test_who_waits_for_a_worker_that_cannot_start_is_told(conn: psycopg.Connection[Any], db: str):
    flow, _ = endless()
    conn.execute("drop schema pgflow cascade")

    async def wait() -> None:
        worker = Worker([flow], db)
        serving = asyncio.create_task(worker.run())
        with pytest.raises(WorkerStateInvalid):
            await asyncio.wait_for(worker.wait_ready(), LONG)
        with pytest.raises(SchemaMissing):
            await serving

    asyncio.run(wait())


def test_a_worker_whose_schema_is_taken_away_ends_with_the_reason(
    db: str, conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pgflow_worker._ending._LAST_WORDS", 0.5)
    flow, _ = endless()

    async def serve() -> None:
        worker = Worker([flow], db)
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        conn.execute("drop schema pgflow cascade")
        await asyncio.wait_for(serving, LONG)

    with pytest.raises(SchemaMissing):
        asyncio.run(serve())


def test_a_worker_that_may_not_report_ends_with_the_reason_and_blames_no_task(
    db: str, conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pgflow_worker._ending._LAST_WORDS", 0.5)
    flow = Flow("unreported", input=int)
    began, release = asyncio.Event(), asyncio.Event()

    @flow.step
    async def only(number: int = flow.input) -> int:
        began.set()
        await release.wait()
        return number

    async def serve() -> None:
        async with running_worker([flow], db):
            async with AsyncClient(db) as client:
                await client.start_flow(flow, 1)
            await began.wait()
            conn.execute("alter function pgflow.report_and_claim rename to gone")
            release.set()

    with pytest.raises(SchemaMissing, match="report_and_claim"):
        asyncio.run(asyncio.wait_for(serve(), LONG))
    assert task(conn) == ("started", 1)
    assert conn.execute("select count(*) from pgflow.task_attempts").fetchone() == (0,)


def test_a_stopped_worker_logs_no_lost_exception(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    flow, began = endless()

    async def stop() -> None:
        async with running_worker([flow], db) as worker, AsyncClient(db) as client:
            await client.start_flow(flow, 1)
            await began.wait()
            worker.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(stop())
    assert caplog.text == ""


def test_a_worker_without_tasks_waits_for_nothing_when_its_database_is_gone():
    flow, _ = endless()
    with throwaway_server() as server:
        url = server.url()
        Migrator(url).migrate()

        async def strand() -> None:
            options = WorkerOptions(shutdown_timeout=timedelta(hours=1))
            async with running_worker([flow], url, options) as worker:
                await asyncio.to_thread(server.stop)
                # Asleep, or in the midst of a claim that nobody answers.
                await asyncio.sleep(0.5)
                worker.drain()

        asyncio.run(asyncio.wait_for(strand(), LONG))
