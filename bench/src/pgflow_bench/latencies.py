"""Latencies of an idle system, in milliseconds."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Any
from uuid import uuid4

import psycopg
from pgflow_client import AsyncClient, Event
from pgflow_dsl import Flow

from pgflow_bench.flows import crowd, crowd_each, one, pickup, pickup_only
from pgflow_bench.serving import worker_here, workers_elsewhere

_IDLE = 0.03


async def pickup_ms(url: str, count: int) -> list[float]:
    """Return the times from before a start to inside its handler, in the same process."""
    async with worker_here(url, pickup):
        return await picked_up_ms(url, count)


async def picked_up_ms(url: str, count: int) -> list[float]:
    """Return the times from before a start to inside its handler, whoever serves it."""
    times: list[float] = []
    async with AsyncClient(url) as client:
        for _ in range(count):
            await asyncio.sleep(_IDLE)
            run = await client.start_flow(pickup, time.perf_counter())
            await run.wait()
            times.append(1000 * await run.output_of(pickup_only))
    return times


def crowded_ms(url: str, count: int, *, same_flow: bool) -> dict[str, Any]:
    """Tell how soon new runs start while a large map of another flow, or their own, is queued.

    Returns:
        {"latencies_ms": from before each start to inside its handler, "left_queued": elements of
        the map that still waited at the end: 0 would make the figures worthless}.
    """
    with workers_elsewhere(url, crowd, 1, pickup):
        latencies = asyncio.run(_crowded_ms(url, count, same_flow))
        with psycopg.connect(url) as conn:
            left = conn.execute(
                "select count(*) from pgflow.step_tasks where flow_slug = %s and status = 'queued'",
                (crowd.slug,),
            ).fetchone()
    return {"latencies_ms": latencies, "left_queued": float(left[0]) if left else 0.0}


async def _crowded_ms(url: str, count: int, same_flow: bool) -> list[float]:
    times: list[float] = []
    async with AsyncClient(url) as client:
        for _ in range(count):
            await asyncio.sleep(_IDLE)
            now = time.perf_counter()
            if same_flow:
                run = await client.start_flow(crowd, [now])
                await run.wait()
                [waited] = await run.output_of(crowd_each)
            else:
                other = await client.start_flow(pickup, now)
                await other.wait()
                waited = await other.output_of(pickup_only)
            times.append(1000 * waited)
    return times


async def ended_ms(url: str, flow: Flow[Any], text: str, count: int) -> list[float]:
    """Return the times from before a start to the sight of its end, in the same process."""
    async with worker_here(url, flow):
        return await seen_ended_ms(url, flow, text, count)


async def seen_ended_ms(url: str, flow: Flow[Any], text: str, count: int) -> list[float]:
    """Return the times from before a start to the sight of its end, whoever serves it."""
    times: list[float] = []
    async with AsyncClient(url) as client:
        for _ in range(count):
            await asyncio.sleep(_IDLE)
            began = time.perf_counter()
            run = await client.start_flow(flow.slug, json.loads(text))
            await run.wait()
            times.append(1000 * (time.perf_counter() - began))
    return times


async def polled_ms(url: str, flow: Flow[Any], text: str, count: int) -> list[float]:
    """Return the times from before a start to its commit as completed, seen by polling."""
    times: list[float] = []
    async with (
        worker_here(url, flow),
        await psycopg.AsyncConnection.connect(url, autocommit=True) as conn,
    ):
        for _ in range(count):
            await asyncio.sleep(_IDLE)
            began = time.perf_counter()
            row = await (
                await conn.execute(
                    "select run_id from pgflow.start_flow(%s, %s::jsonb)", (flow.slug, text)
                )
            ).fetchone()
            query = "select status from pgflow.runs where run_id = %s"
            while (await (await conn.execute(query, row)).fetchone()) == ("started",):
                await asyncio.sleep(0.001)
            times.append(1000 * (time.perf_counter() - began))
    return times


async def delivered_ms(url: str, count: int) -> list[float]:
    """Return the times from the commit of a change to its event in the hands of a watcher."""
    times: list[float] = []
    worker_id = uuid4()
    async with (
        AsyncClient(url) as client,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as conn,
    ):
        await conn.execute("select pgflow.register_worker(%s, %s)", (worker_id, [one.slug]))
        for _ in range(count):
            run = await client.start_flow(one, 1)
            events = run.events()
            await anext(events)
            await anext(events)
            arriving = asyncio.create_task(_arrival(events))
            await conn.execute(
                "select count(*) from pgflow.claim_tasks(%s, 1, %s)", ([one.slug], worker_id)
            )
            await asyncio.sleep(_IDLE)
            await conn.execute(
                "select status from pgflow.complete_task(%s, 'only', 0, '1')", (run.run_id,)
            )
            committed = time.perf_counter()
            times.append(1000 * (await arriving - committed))
            await events.aclose()
    return times


async def _arrival(events: AsyncGenerator[Event, None]) -> float:
    await anext(events)
    return time.perf_counter()
