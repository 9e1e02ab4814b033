"""Latencies of an idle system, in milliseconds."""

import asyncio
import json
import time
from typing import Any

import psycopg
from pgflow_client import AsyncClient
from pgflow_dsl import Flow

from pgflow_bench.flows import pickup, pickup_only
from pgflow_bench.serving import worker_here

_IDLE = 0.03


async def pickup_ms(url: str, count: int) -> list[float]:
    """Return the times from before a start to inside its handler."""
    times: list[float] = []
    async with worker_here(url, pickup), AsyncClient(url) as client:
        for _ in range(count):
            await asyncio.sleep(_IDLE)
            run = await client.start_flow(pickup, time.perf_counter())
            await run.wait()
            times.append(1000 * await run.output_of(pickup_only))
    return times


async def ended_ms(url: str, flow: Flow[Any], text: str, count: int) -> list[float]:
    """Return the times from before a start to the result in the starter's hands."""
    times: list[float] = []
    async with worker_here(url, flow), AsyncClient(url) as client:
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
