"""Start and stop of a worker, and what survives when connections or processes do not."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, DatabaseUnreachable
from pgflow_dsl import Flow
from pgflow_worker import FlowShapeMismatch, FlowsInvalid, Worker, WorkerOptions, WorkerState
from pgflow_worker.testing import running_worker

from tests.support import throwaway_server, until

PATIENCE = timedelta(seconds=60)
# Tasks that are not completed, or took an attempt that cannot be accounted for.
NOT_DONE_ONCE = (
    "select count(*) from pgflow.step_tasks"
    " where status <> 'completed' or attempts_count - released_count <> 1"
)


def counting(slug: str = "count") -> Flow[int]:
    flow = Flow(slug, input=int)

    @flow.step
    async def first(number: int = flow.input) -> int:
        await asyncio.sleep(0.001)
        return number

    @flow.step
    async def second(number: int = first.output) -> int:
        return number + 1

    return flow


async def started(worker: Worker) -> asyncio.Task[None]:
    serving = asyncio.create_task(worker.run())
    ready = asyncio.create_task(worker.wait_ready())
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    return serving


def unfinished(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute("select count(*) from pgflow.runs where status <> 'completed'").fetchone()
    assert row is not None
    return int(row[0])


def test_a_worker_compiles_its_flows_and_verifies_them_the_next_time(
    db: str, conn: psycopg.Connection[Any]
):
    async def start_and_stop() -> None:
        worker = Worker([counting()], db)
        serving = await started(worker)
        worker.drain()
        await serving
        assert worker.state is WorkerState.STOPPED

    for _ in range(2):
        asyncio.run(start_and_stop())

    assert conn.execute("select count(*) from pgflow.steps").fetchone() == (2,)
    stopped = conn.execute("select count(*) from pgflow.workers where stopped_at is not null")
    assert stopped.fetchone() == (2,)


def test_a_changed_structure_is_refused_where_it_may_not_become_a_version(
    db: str, conn: psycopg.Connection[Any]
):
    async def start(flow: Flow[Any], **options: Any) -> None:
        worker = Worker([flow], db, WorkerOptions(**options))
        serving = await started(worker)
        worker.drain()
        await serving

    asyncio.run(start(counting()))
    changed = counting()

    @changed.step
    async def third(number: int = changed.input) -> int:
        return number

    with pytest.raises(FlowShapeMismatch) as raised:
        asyncio.run(start(changed, make_versions=False))
    assert "third is new" in str(raised.value)
    assert conn.execute("select count(*) from pgflow.steps").fetchone() == (2,)

    asyncio.run(start(changed, allow_data_loss=True))
    assert conn.execute("select count(*) from pgflow.steps").fetchone() == (3,)


def test_workers_that_start_at_once_compile_once(db: str, conn: psycopg.Connection[Any]):
    async def start() -> None:
        workers = [Worker([counting()], db) for _ in range(4)]
        servings = await asyncio.gather(*[started(worker) for worker in workers])
        for worker in workers:
            worker.drain()
        await asyncio.gather(*servings)

    asyncio.run(start())

    assert conn.execute("select count(*) from pgflow.flows").fetchone() == (1,)


def test_flows_with_one_slug_cannot_be_served_together(db: str):
    with pytest.raises(FlowsInvalid, match="count"):
        Worker([counting(), counting()], db)
    with pytest.raises(FlowsInvalid):
        Worker([], db)


def test_a_database_that_cannot_be_reached_is_told_at_once():
    worker = Worker([counting()], "postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(DatabaseUnreachable):
        asyncio.run(worker.run())


def test_drain_lets_handlers_finish(db: str, conn: psycopg.Connection[Any]):
    flow = Flow("slow", input=int)
    began = asyncio.Event()

    @flow.step
    async def only(number: int = flow.input) -> int:
        began.set()
        await asyncio.sleep(0.5)
        return number

    async def drain() -> None:
        worker = Worker([flow], db)
        serving = await started(worker)
        async with AsyncClient(db) as client:
            await client.start_flow(flow, 1)
        await began.wait()
        worker.drain()
        await serving

    asyncio.run(drain())

    assert unfinished(conn) == 0


@pytest.mark.parametrize("at_once", [False, True])
def test_what_does_not_finish_in_time_is_handed_back_and_costs_no_attempt(
    db: str, conn: psycopg.Connection[Any], at_once: bool
):
    flow = Flow("endless", input=int)
    began = asyncio.Event()

    @flow.step
    async def only(number: int = flow.input) -> int:
        began.set()
        await asyncio.sleep(600)
        return number

    async def stop() -> None:
        patience = timedelta(seconds=600) if at_once else timedelta(seconds=0.2)
        worker = Worker([flow], db, WorkerOptions(shutdown_timeout=patience))
        serving = await started(worker)
        async with AsyncClient(db) as client:
            await client.start_flow(flow, 1)
        await began.wait()
        if at_once:
            worker.stop()
        else:
            worker.drain()
        await serving

    asyncio.run(stop())

    task = conn.execute(
        "select status, attempts_count, released_count from pgflow.step_tasks"
    ).fetchone()
    assert task == ("queued", 1, 1)


def test_a_deprecated_worker_drains(db: str, conn: psycopg.Connection[Any]):
    async def deprecate() -> None:
        worker = Worker(
            [counting()], db, WorkerOptions(heartbeat_interval=timedelta(milliseconds=100))
        )
        serving = await started(worker)
        conn.execute("update pgflow.workers set deprecated_at = now()")
        await asyncio.wait_for(serving, 20)

    asyncio.run(deprecate())


def test_connections_that_are_cut_again_and_again_lose_nothing(
    db: str, conn: psycopg.Connection[Any]
):
    flow = counting()

    async def cut() -> None:
        worker = Worker([flow], db, WorkerOptions(concurrency=20))
        serving = await started(worker)
        async with AsyncClient(db) as client:
            await client.start_flows(flow, list(range(2000)))
        for _ in range(5):
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name like 'pgflow %' and datname = current_database()"
            )
            await asyncio.sleep(0.15)
        while unfinished(conn):
            await asyncio.sleep(0.05)
        worker.drain()
        await serving

    asyncio.run(asyncio.wait_for(cut(), 90))

    assert conn.execute(NOT_DONE_ONCE).fetchone() == (0,)


@pytest.mark.slow
def test_a_server_that_stops_and_comes_back_loses_nothing():
    import pgflow_core_sql

    flow = counting()
    with throwaway_server({"fsync": "on"}) as server:
        url = server.url()
        pgflow_core_sql.Migrator(url).migrate()

        # Dead for longer than the lease: nobody may take the others for dead when it is back.
        options = WorkerOptions(
            concurrency=20,
            lease=timedelta(seconds=1),
            heartbeat_interval=timedelta(seconds=0.2),
        )

        async def restart() -> None:
            async with running_worker([flow], url, options), running_worker([flow], url, options):
                async with AsyncClient(url) as client:
                    await client.start_flows(flow, list(range(3000)))
                await asyncio.sleep(0.2)
                server.stop()
                await asyncio.sleep(2)
                server.start()
                with psycopg.connect(url, autocommit=True) as conn:
                    assert unfinished(conn) > 0
                    while unfinished(conn):
                        await asyncio.sleep(0.05)

        asyncio.run(asyncio.wait_for(restart(), 100))
        with psycopg.connect(url) as conn:
            assert conn.execute(NOT_DONE_ONCE).fetchone() == (0,)


PROGRAM = """
import asyncio, sys
from datetime import timedelta
from pgflow_dsl import Flow
from pgflow_worker import Worker, WorkerOptions

flow = Flow("crash", input=int)

@flow.step
async def only(number: int = flow.input) -> int:
    await asyncio.sleep(0.05)
    return number

options = WorkerOptions(
    concurrency=10, lease=timedelta(seconds=2), heartbeat_interval=timedelta(seconds=0.4)
)
asyncio.run(Worker([flow], sys.argv[1], options).run())
"""


@pytest.fixture
def spawn(tmp_path: Path, db: str) -> Iterator[Any]:
    """Start worker processes that log to files, and end them after the test by their ids."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / f"log {len(processes)}").open("w") as log:
            processes.append(subprocess.Popen([sys.executable, program, db], stderr=log))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGCONT)
            process.kill()
        process.wait(20)


def tasks_held(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute("select count(*) from pgflow.step_tasks where status = 'started'").fetchone()
    assert row is not None
    return int(row[0])


def test_the_tasks_of_a_killed_worker_are_done_by_another(
    db: str, conn: psycopg.Connection[Any], spawn: Any
):
    doomed = spawn()
    until(lambda: conn.execute("select from pgflow.workers").fetchone() is not None, PATIENCE)
    conn.execute("select pgflow.start_flows('crash', array_fill('1'::jsonb, array[200]))")
    until(lambda: tasks_held(conn) > 0, PATIENCE)

    doomed.kill()
    doomed.wait(20)
    spawn()

    until(lambda: unfinished(conn) == 0, PATIENCE)
    assert tasks_held(conn) == 0


def test_a_worker_that_comes_back_from_the_dead_changes_nothing_and_says_so(
    db: str, conn: psycopg.Connection[Any], spawn: Any, tmp_path: Path
):
    frozen = spawn()
    until(lambda: conn.execute("select from pgflow.workers").fetchone() is not None, PATIENCE)
    conn.execute("select pgflow.start_flows('crash', array_fill('1'::jsonb, array[50]))")
    until(lambda: tasks_held(conn) > 0, PATIENCE)
    os.kill(frozen.pid, signal.SIGSTOP)
    held = conn.execute("select run_id from pgflow.step_tasks where status = 'started'").fetchall()

    spawn()
    until(lambda: unfinished(conn) == 0, PATIENCE)
    outcome = "select run_id, attempts_count, last_worker_id, completed_at from pgflow.step_tasks"
    before = sorted(conn.execute(outcome).fetchall())
    os.kill(frozen.pid, signal.SIGCONT)
    until(
        lambda: (
            conn.execute(
                "select count(*) from pgflow.workers"
                " where last_heartbeat_at > clock_timestamp() - interval '1 second'"
            ).fetchone()
            == (2,)
        ),
        PATIENCE,
    )

    assert held
    log = tmp_path / "log 0"
    until(lambda: "longer than the lease of 2 s" in log.read_text(), PATIENCE)
    until(lambda: "stale_attempt" in log.read_text(), PATIENCE)
    assert sorted(conn.execute(outcome).fetchall()) == before


@pytest.mark.direct("it counts marks and connections of the server's")
def test_nothing_of_a_worker_is_left_after_it_has_stopped(db: str, conn: psycopg.Connection[Any]):
    async def start_and_stop() -> None:
        worker = Worker([counting()], db)
        serving = await started(worker)
        worker.drain()
        await serving
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(start_and_stop())

    until(
        lambda: (
            conn.execute(
                "select count(*) from pg_stat_activity"
                " where application_name like 'pgflow %' and datname = current_database()"
            ).fetchone()
            == (0,)
        )
    )
    assert conn.execute("select count(*) from pgflow.waiting_workers").fetchone() == (0,)
