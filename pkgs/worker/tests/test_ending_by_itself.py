"""Workers that end by themselves, and what they say of their health until then."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient
from pgflow_dsl import Flow
from pgflow_worker import Worker, WorkerOptions, WorkerOptionsInvalid, WorkerState
from pgflow_worker.testing import running_worker

from tests.support import throwaway_server

LONG = 60
BRIEFLY = timedelta(seconds=0.2)

Connection = psycopg.Connection[Any]


def flow_of(slug: str) -> Flow[float]:
    flow = Flow(slug, input=float, max_attempts=2, base_delay=timedelta(hours=1))

    @flow.step
    async def only(seconds: float = flow.input) -> None:
        if seconds < 0:
            raise ValueError("negative")
        await asyncio.sleep(seconds)

    return flow


def status(conn: Connection) -> Any:
    return conn.execute("select status from pgflow.step_tasks").fetchone()


def test_a_worker_ends_when_there_is_nothing_to_do_and_not_before(db: str, conn: Connection):
    flow = flow_of("idle")

    async def serve() -> None:
        worker = Worker([flow], db, WorkerOptions(idle_timeout=BRIEFLY))
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        async with AsyncClient(db) as client:
            # Longer than it may idle.
            await client.start_flow(flow, 5 * BRIEFLY.total_seconds())
        await asyncio.wait_for(serving, LONG)
        assert worker.state is WorkerState.STOPPED

    asyncio.run(serve())
    assert status(conn) == ("completed",)


def test_a_retry_that_is_not_due_keeps_no_worker(db: str, conn: Connection):
    flow = flow_of("delayed")

    async def serve() -> None:
        worker = Worker([flow], db, WorkerOptions(idle_timeout=BRIEFLY))
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        async with AsyncClient(db) as client:
            await client.start_flow(flow, -1.0)
        await asyncio.wait_for(serving, LONG)

    asyncio.run(serve())
    assert status(conn) == ("queued",)


def test_a_worker_whose_time_is_over_finishes_its_tasks(db: str, conn: Connection):
    flow = flow_of("timed")

    async def serve() -> None:
        worker = Worker([flow], db, WorkerOptions(run_for=timedelta(seconds=0.5)))
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        async with AsyncClient(db) as client:
            await client.start_flow(flow, 1.0)
        await asyncio.wait_for(serving, LONG)

    asyncio.run(serve())
    assert status(conn) == ("completed",)


@pytest.mark.parametrize("name", ["run_for", "idle_timeout"])
def test_no_time_is_refused(name: str):
    spans: dict[str, Any] = {name: timedelta(0)}
    with pytest.raises(WorkerOptionsInvalid, match=name):
        WorkerOptions(**spans)


def test_a_worker_of_a_function_is_known_and_tracked_by_its_name(db: str, conn: Connection):
    async def serve() -> None:
        async with running_worker([flow_of("named")], db, WorkerOptions(function_name="crawl")):
            pass

    asyncio.run(serve())
    assert conn.execute("select function_name from pgflow.workers").fetchone() == ("crawl",)
    tracked = conn.execute("select function_name, flow_slugs from pgflow.worker_functions")
    assert tracked.fetchone() == ("crawl", ["named"])


def test_a_worker_that_cannot_start_is_not_tracked(db: str, conn: Connection):
    changed = flow_of("changed")

    @changed.step
    async def another() -> None: ...

    async def serve(flow: Flow[float]) -> None:
        options = WorkerOptions(function_name="crawl", make_versions=False)
        async with running_worker([flow], db, options):
            pass

    asyncio.run(serve(flow_of("changed")))
    conn.execute("delete from pgflow.worker_functions")
    with pytest.raises(Exception, match="another structure"):
        asyncio.run(serve(changed))
    assert conn.execute("select count(*) from pgflow.worker_functions").fetchone() == (0,)


def test_health_follows_the_life_of_a_worker(db: str):
    async def live() -> None:
        worker = Worker([flow_of("healthy")], db)
        assert worker.health().is_alive
        assert not worker.health().is_ready
        serving = asyncio.create_task(worker.run())
        await worker.wait_ready()
        assert worker.health().is_ready
        worker.drain()
        await serving
        health = worker.health()
        assert (health.is_alive, health.is_ready, health.held) == (False, False, 0)

    asyncio.run(live())


def test_a_worker_without_its_database_is_alive_and_not_ready():
    import pgflow_core_sql

    with throwaway_server() as server:
        url = server.url()
        pgflow_core_sql.Migrator(url).migrate()

        async def live() -> None:
            options = WorkerOptions(
                heartbeat_interval=timedelta(seconds=0.1),
                lease=timedelta(seconds=1),
                shutdown_timeout=timedelta(0),
            )
            worker = Worker([flow_of("cut_off")], url, options)
            serving = asyncio.create_task(worker.run())
            async with asyncio.timeout(LONG):
                while worker.health().silence is None:
                    await asyncio.sleep(0.01)
                assert worker.health().is_ready
                server.stop()
                while worker.health().is_ready:
                    await asyncio.sleep(0.01)
                assert worker.health().is_alive
                server.start()
                while not worker.health().is_ready:
                    await asyncio.sleep(0.01)
                worker.stop()
                await serving

        asyncio.run(live())
