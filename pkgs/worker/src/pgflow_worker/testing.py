"""Running flows in the process of a test, on a real database, and steps without one."""

# A job is a flow, too; the first overload that fits decides.
# mypy: disable-error-code="overload-overlap"

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from typing import Any, Final, TypedDict, TypeVar, Unpack, overload
from uuid import UUID

from pgflow_client import AsyncClient
from pgflow_client import worker_protocol as protocol
from pgflow_dsl import Flow, Job
from pgflow_dsl.testing import make_context, run_step

from pgflow_worker.options import WorkerOptions
from pgflow_worker.worker import Lifespan, Worker

__all__ = ["make_context", "run_flow", "run_step", "running_worker", "skipping_delays"]

I = TypeVar("I")  # noqa: E741 (input: as in Flow[I])
O = TypeVar("O")  # noqa: E741 (output: as in Job[..., O])

_PATIENCE: Final = timedelta(seconds=60)
# Seconds between two looks for what waits.
_LOOK_INTERVAL: Final = 0.02


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


@asynccontextmanager
async def skipping_delays(run_id: UUID, database_url: str) -> AsyncGenerator[None, None]:
    """Have whatever a run waits for come due at once while the block runs.

    Retries and start delays are as the flow says, only nobody waits for them: a function in the
    database, `pgflow.skip_delays`, is called again and again.

    Args:
        run_id: The run.
        database_url: URL or connection string of the database.
    """

    async def skip() -> None:
        while True:
            await link.call(lambda conn: protocol.skip_delays(conn, str(run_id)))
            await asyncio.sleep(_LOOK_INTERVAL)

    link = protocol.Link(database_url, "skipped delays", prepared_statements=None)
    skipping = asyncio.create_task(skip())
    try:
        yield
    finally:
        while not skipping.done():
            skipping.cancel()
            await asyncio.wait({skipping}, timeout=1)
        await link.close()
    if not skipping.cancelled():
        skipping.result()


class RunArguments(TypedDict, total=False):
    """How `run_flow` runs a flow."""

    options: WorkerOptions | None
    lifespan: Lifespan | None
    patience: timedelta
    skip_delays: bool


@overload
async def run_flow(
    flow: Job[..., Any, I, O], input: I, database_url: str, **how: Unpack[RunArguments]
) -> O: ...
@overload
async def run_flow(
    flow: Flow[I], input: I, database_url: str, **how: Unpack[RunArguments]
) -> dict[str, Any]: ...
async def run_flow(
    flow: Flow[Any],
    input: Any,
    database_url: str,
    *,
    options: WorkerOptions | None = None,
    lifespan: Lifespan | None = None,
    patience: timedelta = _PATIENCE,
    skip_delays: bool = True,
) -> Any:
    """Start a run, serve it with a worker of its own, and return what came of it.

    Nobody waits for retries and start delays, unless they are not to be skipped.

    Args:
        flow: The flow.
        input: What the run starts with; None for a flow without input.
        database_url: URL or connection string of a database with pgflow's schema.
        options: How the worker behaves.
        lifespan: Makes what handlers find as `ctx.resources`.
        patience: How long the run may take.
        skip_delays: Whether retries and delayed starts come at once.

    Returns:
        JSON-like data {leaf step: output}, without the leaves that were skipped; for a job what its
        function returned.

    Raises:
        InputInvalid: The input does not fit the flow.
        RunFailed: The run failed; says at which step and why.
        WaitTimeout: It took longer than the patience.
        PgflowError: The worker could not start, or ended by itself.
    """
    worker = running_worker([flow], database_url, options, lifespan=lifespan)
    async with worker, AsyncClient(database_url) as client:
        run = await client.start_flow(flow, input)
        async with skipping_delays(run.run_id, database_url) if skip_delays else nullcontext():
            return await run.result(patience)
