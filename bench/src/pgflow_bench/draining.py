"""What is queued, until nothing is left of it: by a worker that comes to it, or that was there."""

import asyncio
import time
from collections.abc import Generator, Sequence
from typing import Any

import psycopg
from pgflow_dsl import Flow
from pgflow_worker import WorkerOptions

from pgflow_bench.serving import (
    settle,
    start_runs,
    start_runs_on,
    until_done,
    worker_here,
    workers_elsewhere,
)

__all__ = ["Steps", "drain_here", "drained", "drained_elsewhere"]

Steps = Generator[None, None, dict[str, Any]]


async def drain_here(url: str, flow: Flow[Any], options: WorkerOptions | None) -> float:
    """Return the seconds that a new worker in this process takes for what is queued."""
    began = time.perf_counter()
    async with worker_here(url, flow, options):
        await until_done(url, flow)
        return time.perf_counter() - began


def drained(
    url: str,
    flow: Flow[Any],
    inputs: Sequence[Any],
    units: int,
    options: WorkerOptions | None = None,
) -> Steps:
    """Queue runs, then have a new worker in this process come to them."""
    start_runs(url, flow, inputs)
    settle(url)
    yield
    return {"seconds": asyncio.run(drain_here(url, flow, options)), "units": units}


def drained_elsewhere(
    url: str,
    flow: Flow[Any],
    workers: int,
    before: Sequence[Any],
    inputs: Sequence[Any],
    units: int,
) -> Steps:
    """Commit runs at once to worker processes that have served others before.

    Args:
        url: The database.
        flow: The flow, which is installed.
        workers: How many processes serve it.
        before: Inputs of the runs that they have served when the clock starts.
        inputs: Those of the runs that count.
        units: What the runs that count make up together.
    """
    with workers_elsewhere(url, flow, workers), psycopg.connect(url) as conn:
        start_runs(url, flow, before)
        asyncio.run(until_done(url, flow))
        start_runs_on(conn, flow, inputs)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("checkpoint")
        yield
        began = time.perf_counter()
        conn.commit()
        asyncio.run(until_done(url, flow))
        return {"seconds": time.perf_counter() - began, "units": units}
