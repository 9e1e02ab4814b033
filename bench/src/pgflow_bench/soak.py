"""A steady load for minutes: whether latency, memory and tables stay as they are."""

import asyncio
import resource
import time
from typing import Any

import psycopg
from pgflow_client import AsyncClient, AsyncRun

from pgflow_bench.flows import chain
from pgflow_bench.serving import worker_here

RATE = 100
WATCHERS = 20
_TABLES = ("runs", "step_states", "step_tasks", "waiting_workers", "run_watchers", "workers")


async def soak(url: str, seconds: int) -> dict[str, Any]:
    """Start so many runs a second, watch some of them to their end, and tell how that went.

    Returns:
        {"latencies_ms": from each watched start to its end, "database_p99_ms": of all runs by the
        database's clock, "memory_growth_mb": over the second half, "dead_tuples": after a vacuum}.
    """
    latencies: list[float] = []
    begun: asyncio.Queue[tuple[float, AsyncRun[int]]] = asyncio.Queue(maxsize=1)
    half = 0.0
    async with worker_here(url, chain), AsyncClient(url, max_connections=8) as client:
        watchers = [asyncio.create_task(_watch(begun, latencies)) for _ in range(WATCHERS)]
        began = time.perf_counter()
        starts: set[asyncio.Task[None]] = set()
        for number in range(RATE * seconds):
            await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
            start = asyncio.create_task(_start(client, begun))
            starts.add(start)
            start.add_done_callback(starts.discard)
            if number == RATE * seconds // 2:
                half = _peak_memory()
        await asyncio.gather(*starts)
        await asyncio.sleep(1)
        for watcher in watchers:
            watcher.cancel()
    return {
        "latencies_ms": latencies,
        "memory_growth_mb": _peak_memory() - half,
        **_database_side(url),
    }


async def _start(client: AsyncClient, begun: "asyncio.Queue[tuple[float, AsyncRun[int]]]") -> None:
    at = time.perf_counter()
    run = await client.start_flow(chain, 1)
    # Whoever is free watches it; if nobody is, it is not watched.
    if begun.empty():
        begun.put_nowait((at, run))


async def _watch(
    begun: "asyncio.Queue[tuple[float, AsyncRun[int]]]", latencies: list[float]
) -> None:
    while True:
        at, run = await begun.get()
        await run.wait()
        latencies.append(1000 * (time.perf_counter() - at))


def _peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _database_side(url: str) -> dict[str, float]:
    with psycopg.connect(url, autocommit=True) as conn:
        tables = ", ".join(f"pgflow.{table}" for table in _TABLES)
        conn.execute(f"vacuum {tables}".encode())
        conn.execute("select pg_stat_force_next_flush()")
        p99 = conn.execute(
            "select 1000 * percentile_cont(0.99) within group"
            " (order by extract(epoch from completed_at - started_at)) from pgflow.runs"
        ).fetchone()
        dead = conn.execute(
            "select sum(n_dead_tup) from pg_stat_user_tables where schemaname = 'pgflow'"
        ).fetchone()
        unended = conn.execute(
            "select count(*) from pgflow.runs where status <> 'completed'"
        ).fetchone()
    return {
        "database_p99_ms": float(p99[0]) if p99 else 0.0,
        "dead_tuples": float(dead[0]) if dead else 0.0,
        "runs_not_completed": float(unended[0]) if unended else 0.0,
    }
