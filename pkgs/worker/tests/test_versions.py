"""A worker whose code has another structure: versions, and who serves which of them."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, AsyncRun
from pgflow_dsl import Flow
from pgflow_worker import Worker, WorkerOptions
from pgflow_worker.testing import running_worker

from tests.support import until

PATIENCE = timedelta(seconds=30)


class Gate:
    """Holds handlers of a code until it is opened, and notes what they were called for."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.calls: list[str] = []

    async def pass_through(self, name: str) -> None:
        self.calls.append(name)
        await self.open.wait()


def greeting(gate: Gate, *more: str, ends: bool = True) -> Flow[int]:
    """Return a flow of a step and, after it, another one, and further ones of these names."""
    flow = Flow("greeting", input=int)

    @flow.step
    async def first(number: int = flow.input) -> int:
        await gate.pass_through("first")
        return number

    if ends:

        @flow.step
        async def last(number: int = first.output) -> int:
            await gate.pass_through("last")
            return number

    for name in more:

        @flow.step(slug=name)
        async def another(number: int = first.output) -> int:
            await gate.pass_through("another")
            return number

    return flow


@asynccontextmanager
async def served(db: str, flow: Flow[int], **options: Any) -> AsyncGenerator[Worker]:
    async with running_worker([flow], db, WorkerOptions(**options)) as worker:
        yield worker


async def version_of(conn: psycopg.Connection[Any], run: AsyncRun[Any, Any]) -> str:
    row = conn.execute("select flow_slug from pgflow.runs where run_id = %s", (run.run_id,))
    [slug] = row.fetchone() or (None,)
    return str(slug)


async def called(gate: Gate, count: int) -> None:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while len(gate.calls) < count:
            await asyncio.sleep(0.005)


def test_runs_under_way_end_with_the_old_worker_and_new_ones_with_the_new(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "pgflow.worker")

    async def deploy() -> None:
        old, new = Gate(), Gate()
        new.open.set()
        flow, changed = greeting(old), greeting(new, "side", ends=False)
        async with AsyncClient(db) as client, served(db, flow):
            before = await client.start_flow(flow, 1)
            await called(old, 1)
            async with served(db, changed):
                after = await client.start_flow(changed, 2)
                # Whoever starts a run knows nothing of versions.
                late = await client.start_flow(flow, 3)
                assert await after.result(PATIENCE) == {"side": 2}
                assert await late.result(PATIENCE) == {"side": 3}
                old.open.set()
                assert await before.result(PATIENCE) == {"last": 1}
            assert await version_of(conn, before) == "greeting"
            assert await version_of(conn, after) == await version_of(conn, late) == "greeting@2"
        assert old.calls == ["first", "last"]

    asyncio.run(deploy())
    assert "new runs of flow greeting take version 2: step " in caplog.text
    assert "no worker serves it" not in caplog.text


def test_a_worker_serves_an_older_version_whose_handlers_it_has(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "pgflow.worker")

    async def deploy() -> None:
        old, new = Gate(), Gate()
        new.open.set()
        flow, changed = greeting(old), greeting(new, "side")
        async with AsyncClient(db) as client:
            async with served(db, flow, shutdown_timeout=timedelta(0)):
                run = await client.start_flow(flow, 1)
                await called(old, 1)
            async with served(db, changed):
                assert await run.result(PATIENCE) == {"last": 1}
        assert new.calls == ["first", "last"]

    asyncio.run(deploy())
    assert "version 1 of flow greeting is served, too" in caplog.text
    registered = conn.execute("select flow_slugs from pgflow.workers order by started_at")
    assert registered.fetchall() == [(["greeting"],), (["greeting@2", "greeting"],)]


def test_a_worker_says_which_version_has_runs_and_nobody_to_serve_it(
    db: str, caplog: pytest.LogCaptureFixture
):
    async def deploy() -> None:
        gate = Gate()
        flow, changed = greeting(gate), greeting(gate, "side", ends=False)
        async with AsyncClient(db) as client:
            async with served(db, flow, shutdown_timeout=timedelta(0)):
                await client.start_flow(flow, 1)
                await called(gate, 1)
            async with served(db, changed):
                pass

    asyncio.run(deploy())
    assert (
        "version 1 of flow greeting has runs that have not ended, and no worker serves it; "
        "this code cannot: the code has no step last"
    ) in caplog.text


def test_old_code_goes_on_with_its_version_and_says_that_new_runs_take_another(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    async def roll_back() -> None:
        gate = Gate()
        gate.open.set()
        flow, changed = greeting(gate), greeting(gate, "side")
        async with AsyncClient(db) as client:
            for code in (flow, changed):
                async with served(db, code):
                    pass
            async with served(db, flow):
                run = await client.start_flow(flow, 1)
                assert await version_of(conn, run) == "greeting@2"
                conn.execute("select pgflow.use_flow_version('greeting', 1)")
                back = await client.start_flow(flow, 2)
                assert await back.result(PATIENCE) == {"last": 2}

    asyncio.run(roll_back())
    assert "this code of flow greeting is version 1, and new runs take version 2" in caplog.text
    assert "pgflow flows use greeting 1" in caplog.text
    assert conn.execute("select count(*) from pgflow.flows").fetchone() == (2,)


def test_old_code_says_that_its_version_is_retired_and_what_to_do(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    async def start_late() -> None:
        gate = Gate()
        flow, changed = greeting(gate), greeting(gate, "side")
        for code in (flow, changed):
            async with served(db, code):
                pass
        conn.execute("select pgflow.retire_flow_version('greeting', 1)")
        async with served(db, flow):
            pass

    asyncio.run(start_late())
    assert caplog.text.count("this code of flow greeting is version 1, which is retired") == 1
    assert "pgflow flows use greeting 1" in caplog.text
    assert "and new runs take" not in caplog.text


@pytest.mark.parametrize("limited", ["greeting", "greeting.first"])
def test_a_limit_holds_for_all_versions_of_a_flow_together(
    db: str, conn: psycopg.Connection[Any], limited: str
):
    async def deploy() -> None:
        gate = Gate()
        flow, changed = greeting(gate), greeting(gate, "side")
        async with AsyncClient(db) as client:
            async with served(db, flow):
                pass
            conn.execute("select pgflow.start_flow('greeting', '1') from generate_series(1, 3)")
            async with served(db, changed, limits={limited: 2}, shutdown_timeout=timedelta(0)):
                runs = await client.start_flows(changed, [1, 2, 3])
                await called(gate, 2)
                started = "select count(*) from pgflow.step_tasks where status = 'started'"
                # A claim beyond the limit would be handed back at once.
                until(lambda: conn.execute(started).fetchone() == (2,), PATIENCE)
                assert len(gate.calls) == 2
                gate.open.set()
                for run in runs:
                    await run.result(PATIENCE)
                done = "select count(*) from pgflow.runs where status <> 'completed'"
                while conn.execute(done).fetchone() != (0,):
                    await asyncio.sleep(0.01)

    asyncio.run(deploy())


def test_a_run_goes_on_as_another_version_and_its_events_tell_of_both(
    db: str, conn: psycopg.Connection[Any]
):
    async def move() -> list[str]:
        gate = Gate()
        gate.open.set()
        flow, changed = greeting(gate), greeting(gate, "before_side", "side", ends=False)
        async with AsyncClient(db) as client:
            async with served(db, flow):
                run = await client.start_flow(flow, 1)
                await run.wait(PATIENCE)
                cursor = [event.cursor async for event in run.events()][-1]
            async with served(db, changed):
                moved = await client.get_run(run.run_id, changed)
                await moved.restart_from("first", version=2)
                assert await moved.result(PATIENCE) == {"before_side": 1, "side": 1}
                late = [event async for event in moved.events(cursor)]
                told = [event async for event in moved.events()]
        assert told[-len(late) :] == late
        return [
            f"{type(event).__name__} {getattr(event, 'step_slug', '')}".strip() for event in told
        ]

    events = asyncio.run(move())
    ended = [event for event in events if event.startswith(("StepCompleted", "Run"))]
    assert ended[0] == "RunStarted"
    assert "StepCompleted last" in events[: events.index("RunReopened")]
    assert {"StepCompleted before_side", "StepCompleted side"} <= set(
        events[events.index("RunReopened") :]
    )


def test_other_types_make_no_version_and_are_warned_of(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    flow, changed = Flow("typed", input=int), Flow("typed", input=int)

    @flow.step(slug="only")
    def counted(number: int = flow.input) -> int:
        return number

    @changed.step(slug="only")
    def measured(number: int = changed.input) -> float:
        return number

    async def deploy() -> None:
        for code in (flow, flow, changed):
            async with served(db, code):
                pass

    asyncio.run(deploy())
    [warned] = [each.getMessage() for each in caplog.records if "other types" in each.getMessage()]
    assert "output_schema of step only is another" in warned
    assert conn.execute("select count(*) from pgflow.flows").fetchone() == (1,)
