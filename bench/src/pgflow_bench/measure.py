"""One measurement each: what is done, and what is timed."""

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from pgflow_dsl import Flow
from pgflow_worker import Worker, WorkerOptions

from pgflow_bench.flows import chain, pickup, pickup_only

# One call starts this many runs.
_STARTED_AT_ONCE = 1000
_LOOK = 0.005


async def drain_rate(url: str, flow: Flow[Any], inputs: Sequence[Any], tasks: int) -> float:
    """Return the tasks a second at which one worker drains runs that wait for it.

    Args:
        url: The database.
        flow: The flow, with no run under way.
        inputs: The input of each run.
        tasks: How many tasks the runs have together.
    """
    async with _serving(url, flow):
        pass  # It has compiled the flow.
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await start_runs(conn, flow, inputs)
        began = time.perf_counter()
        async with _serving(url, flow):
            while await _value(
                conn,
                "select exists (select from pgflow.runs where flow_slug = %s"
                " and status = 'started')",
                (flow.slug,),
            ):
                await asyncio.sleep(_LOOK)
            return tasks / (time.perf_counter() - began)


async def start_runs(
    conn: psycopg.AsyncConnection[Any], flow: Flow[Any], inputs: Sequence[Any]
) -> float:
    """Start runs and return how many a second were started."""
    texts = [flow.dump_input(value) for value in inputs]
    began = time.perf_counter()
    for first in range(0, len(texts), _STARTED_AT_ONCE):
        await conn.execute(
            "select count(*) from pgflow.start_flows(%s, %s::jsonb[])",
            (flow.slug, texts[first : first + _STARTED_AT_ONCE]),
        )
    return len(texts) / (time.perf_counter() - began)


async def start_rate(url: str, flow: Flow[Any], count: int) -> float:
    """Return the runs a second that one connection starts in bulk."""
    async with _serving(url, flow):
        pass
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        return await start_runs(conn, flow, [1] * count)


async def pickup_ms(url: str, count: int) -> float:
    """Return the median milliseconds from before a start to inside its handler, when idle."""
    times: list[float] = []
    async with (
        _serving(url, pickup),
        await psycopg.AsyncConnection.connect(url, autocommit=True) as conn,
    ):
        for _ in range(count):
            await asyncio.sleep(0.03)
            run_id = await _start(conn, pickup.slug, json.dumps(time.perf_counter()))
            await _ended(conn, run_id)
            seconds = await _value(
                conn,
                "select output from pgflow.step_states where run_id = %s and step_slug = %s",
                (run_id, pickup_only.slug),
            )
            times.append(1000 * float(seconds))
    return statistics.median(times)


async def chain_ms(url: str, count: int) -> float:
    """Return the median milliseconds from the start of a chain to its end, when idle."""
    times: list[float] = []
    async with (
        _serving(url, chain),
        await psycopg.AsyncConnection.connect(url, autocommit=True) as conn,
    ):
        for _ in range(count):
            await asyncio.sleep(0.03)
            began = time.perf_counter()
            await _ended(conn, await _start(conn, chain.slug, "1"))
            times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


@asynccontextmanager
async def _serving(url: str, flow: Flow[Any]) -> AsyncIterator[None]:
    """Run a worker with the default options."""
    worker = Worker([flow], url, WorkerOptions())
    task = asyncio.create_task(worker.run())
    ready = asyncio.create_task(worker.wait_ready())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield
    finally:
        ready.cancel()
        worker.drain()
        await task


async def _start(conn: psycopg.AsyncConnection[Any], flow_slug: str, text: str) -> Any:
    return await _value(
        conn, "select run_id from pgflow.start_flow(%s, %s::jsonb)", (flow_slug, text)
    )


async def _ended(conn: psycopg.AsyncConnection[Any], run_id: Any) -> None:
    while (
        await _value(conn, "select status from pgflow.runs where run_id = %s", (run_id,))
        == "started"
    ):
        await asyncio.sleep(0.001)


async def _value(conn: psycopg.AsyncConnection[Any], query: Any, arguments: Any) -> Any:
    row = await (await conn.execute(query, arguments)).fetchone()
    return row[0] if row else None
