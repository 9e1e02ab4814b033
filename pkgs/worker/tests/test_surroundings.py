"""What handlers reach through their context: the flow's input and what the lifespan yields."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import Context, Flow
from pgflow_worker import Worker, WorkerState, WorkerStateInvalid
from pgflow_worker.testing import run_flow, running_worker

from pkgs.worker.tests import samples


@dataclass
class Order:
    number: int


def reading(executor: Any = None) -> Flow[Order]:
    """Give a flow whose second step has not the flow's input among its parameters."""
    flow = Flow("reading", input=Order, max_attempts=1)

    @flow.step
    async def first() -> list[int]:
        return [1, 2, 3]

    @flow.map(over=first.output)
    async def on_loop(number: int, ctx: Context) -> int:
        order: Order = await ctx.flow_input()
        return order.number + number

    @flow.map(over=first.output, executor=executor)
    def elsewhere(number: int, ctx: Context) -> int:
        order: Order = ctx.flow_input()
        assert asyncio.run(again(ctx)) == order
        return order.number + number

    return flow


async def again(ctx: Context) -> Order:
    order: Order = await ctx.flow_input()
    return order


def test_handlers_read_the_input_of_their_flow(db: str):
    with ThreadPoolExecutor(1) as pool:
        for executor in (None, pool):
            result = asyncio.run(run_flow(reading(executor), Order(10), db))
            assert result == {"on_loop": [11, 12, 13], "elsewhere": [11, 12, 13]}


def test_the_input_of_a_run_is_read_once_for_all_its_tasks(
    db: str, monkeypatch: pytest.MonkeyPatch
):
    import pgflow_worker._inputs as inputs

    asked: list[str] = []
    get_flow_input = inputs.get_flow_input

    async def count(conn: Any, run_id: str) -> str:
        asked.append(run_id)
        return await get_flow_input(conn, run_id)

    monkeypatch.setattr(inputs, "get_flow_input", count)

    asyncio.run(run_flow(reading(), Order(10), db))

    assert len(asked) == 1


def test_a_handler_in_another_process_asks_its_worker_for_the_input(db: str):
    assert asyncio.run(run_flow(samples.asking, Order(10).number, db)) == {
        "ask": [[11, "resources"], [12, "resources"]]
    }


def test_a_handler_in_a_given_process_pool_gets_the_input_sent_along(db: str):
    with ProcessPoolExecutor(1, samples.SPAWN) as pool:
        samples.pooled.get_step("ask_too").executor = pool  # type: ignore[misc]
        assert asyncio.run(run_flow(samples.pooled, 10, db)) == {"ask_too": [11, "resources"]}


def test_an_input_that_cannot_be_read_fails_the_attempt(db: str, monkeypatch: pytest.MonkeyPatch):
    async def fail(conn: Any, run_id: str) -> str:
        raise LookupError("gone")

    monkeypatch.setattr("pgflow_worker._inputs.get_flow_input", fail)

    with pytest.raises(RunFailed, match="gone"):
        asyncio.run(run_flow(reading(), Order(10), db))
    with pytest.raises(RunFailed, match="could not be read: gone"):
        asyncio.run(run_flow(samples.asking, 10, db))


@dataclass
class Pools:
    words: list[str]


def wordy() -> Flow[None]:
    flow = Flow("wordy", max_attempts=1)

    @flow.step
    async def on_loop(ctx: Context[Pools]) -> list[str]:
        return ctx.resources.words

    @flow.step
    def in_thread(ctx: Context[Pools]) -> list[str]:
        return ctx.resources.words

    return flow


def test_what_a_lifespan_yields_reaches_handlers_and_is_closed_after_them(db: str):
    pools = Pools(["a"])
    states: list[WorkerState] = []

    @asynccontextmanager
    async def lifespan(worker: Worker) -> AsyncGenerator[Pools, None]:
        states.append(worker.state)
        yield pools
        states.append(worker.state)
        pools.words.append("closed")

    result = asyncio.run(run_flow(wordy(), None, db, lifespan=lifespan))

    assert result == {"on_loop": ["a"], "in_thread": ["a"]}
    assert pools.words == ["a", "closed"]
    assert states == [WorkerState.STARTING, WorkerState.DRAINING]


def test_without_a_lifespan_there_are_no_resources(db: str):
    with pytest.raises(RunFailed, match="no resources: give the worker a lifespan="):
        asyncio.run(run_flow(wordy(), None, db))


@pytest.mark.parametrize("is_async", [True, False])
def test_a_step_that_is_not_transactional_has_no_connection(
    db: str, conn: psycopg.Connection[Any], is_async: bool
):
    flow = Flow("without", max_attempts=3)

    if is_async:

        @flow.step
        async def only(ctx: Context) -> None:
            ctx.connection.execute("select 1")
    else:

        @flow.step
        def only(ctx: Context) -> None:
            ctx.connection.execute("select 1")

    with pytest.raises(RunFailed, match="give the step the option transactional=True"):
        asyncio.run(run_flow(flow, None, db))
    # Another attempt would find none either.
    assert conn.execute("select count(*) from pgflow.task_attempts").fetchone() == (1,)


def test_a_lifespan_that_yields_nothing_is_one_all_the_same(db: str):
    flow = Flow("nothing", max_attempts=1)

    @flow.step
    async def only(ctx: Context[None]) -> bool:
        return ctx.resources is None

    @asynccontextmanager
    async def lifespan(worker: Worker) -> AsyncGenerator[None, None]:
        yield

    assert asyncio.run(run_flow(flow, None, db, lifespan=lifespan)) == {"only": True}


def test_a_lifespan_that_fails_ends_the_worker_in_good_order(
    db: str, conn: psycopg.Connection[Any]
):
    @asynccontextmanager
    async def lifespan(worker: Worker) -> AsyncGenerator[None, None]:
        raise LookupError("no such pool")
        yield

    async def serve() -> None:
        worker = Worker([wordy()], db, lifespan=lifespan)
        waiting = asyncio.create_task(worker.wait_ready())
        with pytest.raises(LookupError, match="no such pool"):
            await worker.run()
        assert worker.state is WorkerState.STOPPED
        with pytest.raises(WorkerStateInvalid):
            await waiting

    asyncio.run(serve())

    stopped = conn.execute("select stopped_at is not null from pgflow.workers").fetchall()
    assert stopped == [(True,)]


def test_heartbeats_do_not_wait_for_a_lifespan(db: str, conn: psycopg.Connection[Any]):
    @asynccontextmanager
    async def lifespan(worker: Worker) -> AsyncGenerator[None, None]:
        first = beat()
        while beat() == first:
            await asyncio.sleep(0.01)
        yield

    def beat() -> Any:
        return conn.execute("select last_heartbeat_at from pgflow.workers").fetchone()

    async def serve() -> None:
        async with (
            running_worker([wordy()], db, lifespan=lifespan),
            AsyncClient(db) as client,
        ):
            await client.start_flow(wordy())

    asyncio.run(asyncio.wait_for(serve(), 60))
