"""How soon a handler is told that its run was cancelled."""

import asyncio
import time
from datetime import timedelta
from typing import Final

import psycopg
from pgflow_client import AsyncClient
from pgflow_dsl import Flow

from pgflow_bench.serving import worker_here

endless: Final = Flow("bench_endless", input=int, timeout=timedelta(hours=1))
_began: Final[asyncio.Queue[float]] = asyncio.Queue()
_told: Final[asyncio.Queue[float]] = asyncio.Queue()


@endless.step(slug="only")
async def endless_only(value: int = endless.input) -> int:
    """Wait until the run is cancelled, and note when that was told."""
    _began.put_nowait(time.perf_counter())
    try:
        await asyncio.sleep(3600)
    finally:
        _told.put_nowait(time.perf_counter())
    return value


async def told_ms(url: str, count: int) -> list[float]:
    """Return the times from the commit of a cancellation to inside its handler."""
    times: list[float] = []
    async with (
        worker_here(url, endless),
        AsyncClient(url) as client,
        await psycopg.AsyncConnection.connect(url, autocommit=True) as conn,
    ):
        for _ in range(count):
            run = await client.start_flow(endless, 1)
            await _began.get()
            await conn.execute("select status from pgflow.cancel_run(%s)", (run.run_id,))
            cancelled = time.perf_counter()
            times.append(1000 * (await _told.get() - cancelled))
    return times
