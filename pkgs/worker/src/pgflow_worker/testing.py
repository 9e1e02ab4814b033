"""Running flows in the process of a test, on a real database."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar

from pgflow_client import AsyncClient
from pgflow_dsl import Flow

from pgflow_worker.options import WorkerOptions
from pgflow_worker.worker import Lifespan, Worker

__all__ = ["run_flow", "running_worker"]

I = TypeVar("I")  # noqa: E741 (input: as in Flow[I])

_PATIENCE: Final = timedelta(seconds=60)


@asynccontextmanager
async def running_worker(
    flows: Iterable[Flow[Any]],
    database_url: str,
    options: WorkerOptions | None = None,
    *,
    lifespan: Lifespan | None = None,
) -> AsyncGenerator[Worker, None]:
    """Serve flows while the block runs; the worker drains at its end, and stops at an exception.

    Args:
        flows: The flows; those that the database does not have are compiled.
        database_url: URL or connection string of a database with pgflow's schema.
        options: How the worker behaves.
        lifespan: Makes what handlers find as `ctx.resources`.

    Yields:
        The worker, ready.

    Raises:
        PgflowError: The worker could not start, or ended by itself.
    """
    worker = Worker(flows, database_url, options, lifespan=lifespan)
    serving = asyncio.create_task(worker.run())
    ready = asyncio.create_task(worker.wait_ready())
    try:
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if serving.done():
            await serving
        yield worker
    except BaseException:
        worker.stop()
        raise
    finally:
        worker.drain()
        await asyncio.wait({serving, ready})
        if not ready.cancelled():
            # Serving has told the same.
            ready.exception()
    await serving


async def run_flow(
    flow: Flow[I],
    input: I,
    database_url: str,
    *,
    options: WorkerOptions | None = None,
    lifespan: Lifespan | None = None,
    patience: timedelta = _PATIENCE,
) -> dict[str, Any]:
    """Start a run, serve it with a worker of its own, and return what came of it.

    Args:
        flow: The flow.
        input: What the run starts with; None for a flow without input.
        database_url: URL or connection string of a database with pgflow's schema.
        options: How the worker behaves.
        lifespan: Makes what handlers find as `ctx.resources`.
        patience: How long the run may take.

    Returns:
        JSON-like data {leaf step: output}, without the leaves that were skipped.

    Raises:
        InputInvalid: The input does not fit the flow.
        RunFailed: The run failed; says at which step and why.
        WaitTimeout: It took longer than the patience.
        PgflowError: The worker could not start, or ended by itself.
    """
    worker = running_worker([flow], database_url, options, lifespan=lifespan)
    async with worker, AsyncClient(database_url) as client:
        run = await client.start_flow(flow, input)
        result: dict[str, Any] = await run.result(patience)
        return result
