"""No more tasks of a flow or a step at once than a worker allows, and no task blocked by others."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient
from pgflow_dsl import Flow
from pgflow_worker import WorkerOptions
from pgflow_worker.testing import running_worker

PATIENCE = timedelta(seconds=30)


class Gauge:
    """Counts the handlers of each name that run at once."""

    def __init__(self) -> None:
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}

    async def pass_through(self, name: str, seconds: float = 0.01) -> None:
        self.now[name] = self.now.get(name, 0) + 1
        self.most[name] = max(self.most.get(name, 0), self.now[name])
        await asyncio.sleep(seconds)
        self.now[name] -= 1


def crowd(gauge: Gauge, slug: str = "crowd") -> Flow[int]:
    flow = Flow(slug, input=int)

    @flow.step
    async def narrow(number: int = flow.input) -> int:
        await gauge.pass_through(f"{slug}.narrow")
        return number

    @flow.step
    async def wide(number: int = flow.input) -> int:
        await gauge.pass_through(f"{slug}.wide", 0.2)
        return number

    return flow


async def run_many(
    db: str, flows: list[Flow[int]], count: int, limits: Mapping[Any, int], **options: Any
) -> None:
    worker = running_worker(flows, db, WorkerOptions(limits=limits, **options))
    async with AsyncClient(db) as client, worker:
        handles = [
            handle for flow in flows for handle in await client.start_flows(flow, range(count))
        ]
        for handle in handles:
            await handle.wait(PATIENCE)


def test_a_step_runs_no_more_often_at_once_than_its_limit_and_others_go_on(db: str):
    gauge = Gauge()
    flow = crowd(gauge)

    asyncio.run(run_many(db, [flow], 30, {flow.get_step("narrow"): 2}, concurrency=20))

    assert gauge.most["crowd.narrow"] == 2
    assert gauge.most["crowd.wide"] > 2


def test_a_flow_runs_no_more_tasks_at_once_than_its_limit(db: str):
    gauge = Gauge()
    flows = [crowd(gauge, "few"), crowd(gauge, "many")]

    asyncio.run(run_many(db, flows, 20, {"few": 1, "few.narrow": 5}, concurrency=20))

    assert gauge.most["few.narrow"] == 1
    assert gauge.most["few.wide"] == 1
    assert gauge.most["many.wide"] > 1


def test_a_worker_whose_only_flow_is_limited_gets_it_done(db: str):
    gauge = Gauge()
    flow = crowd(gauge)

    asyncio.run(run_many(db, [flow], 20, {flow: 3}, concurrency=20, lanes=1))

    assert max(gauge.most.values()) <= 3


def test_a_backlog_of_a_limited_step_blocks_no_other_step(db: str, conn: psycopg.Connection[Any]):
    flow = Flow("backlog", input=int)
    release = asyncio.Event()

    @flow.step
    async def stuck(number: int = flow.input) -> int:
        await release.wait()
        return number

    @flow.step
    async def free(number: int = flow.input) -> int:
        return number

    async def serve() -> None:
        # Queued before a worker limits it: the queue of the flow begins with its tasks.
        async with running_worker([flow], db):
            pass
        async with AsyncClient(db) as client:
            await client.start_flows(flow, range(300))
            options = WorkerOptions(limits={stuck: 1}, concurrency=5)
            async with running_worker([flow], db, options):
                while completed("free") < 300:
                    await asyncio.sleep(0.01)
                assert completed("stuck") == 0
                release.set()

    def completed(step_slug: str) -> int:
        row = conn.execute(
            "select count(*) from pgflow.step_tasks where step_slug = %s and status = 'completed'",
            (step_slug,),
        ).fetchone()
        assert row is not None
        return int(row[0])

    asyncio.run(asyncio.wait_for(serve(), 60))


@pytest.mark.parametrize("is_defined_anew", [True, False])
def test_tasks_that_are_claimed_beyond_a_limit_are_handed_back_and_done_later(
    db: str, conn: psycopg.Connection[Any], is_defined_anew: bool
):
    gauge = Gauge()
    flow = crowd(gauge)

    async def serve() -> None:
        limits = {flow.get_step("narrow"): 2}
        options = WorkerOptions(limits=limits, concurrency=20)
        async with running_worker([flow], db, options), AsyncClient(db) as client:
            # As tasks are that started just while the worker did.
            if is_defined_anew:
                conn.execute("update pgflow.steps set claimed_apart = false")
            else:
                conn.execute("""
                    create function together() returns trigger language plpgsql as
                    'begin new.claimed_apart := false; return new; end';
                    create trigger together before insert on pgflow.step_tasks
                      for each row execute function together()
                """)
            for handle in await client.start_flows(flow, range(10)):
                await handle.wait(PATIENCE)

    asyncio.run(serve())

    assert gauge.most["crowd.narrow"] == 2
    row = conn.execute(
        "select sum(released_count) > 0, max(attempts_count - released_count)"
        " from pgflow.step_tasks where step_slug = 'narrow'"
    ).fetchone()
    assert row == (True, 1)
