"""Workers for the bench: in this process, or in processes of their own."""

import asyncio
import multiprocessing
import multiprocessing.synchronize
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, LiteralString

import psycopg
from pgflow_core_sql import Migrator
from pgflow_dsl import Flow, compile_flow
from pgflow_worker import Worker, WorkerOptions

# One call starts this many runs.
STARTED_AT_ONCE = 1000
_LOOK = 0.005


def install(url: str, *flows: Flow[Any]) -> None:
    """Bring the schema and the flows into a database."""
    Migrator(url).migrate()
    with psycopg.connect(url, autocommit=True) as conn:
        for flow in flows:
            conn.execute(compile_flow(flow).encode())


def start_runs(url: str, flow: Flow[Any], inputs: Sequence[Any]) -> None:
    """Start runs in bulk."""
    with psycopg.connect(url, autocommit=True) as conn:
        start_runs_on(conn, flow, inputs)


def start_runs_on(conn: psycopg.Connection[Any], flow: Flow[Any], inputs: Sequence[Any]) -> None:
    """Start runs in bulk on a connection, in its transaction if it is in one."""
    texts = [flow.dump_input(value) for value in inputs]
    for first in range(0, len(texts), STARTED_AT_ONCE):
        conn.execute(
            "select count(*) from pgflow.start_flows(%s, %s::jsonb[])",
            (flow.slug, texts[first : first + STARTED_AT_ONCE]),
        )


def settle(url: str) -> None:
    """Let the fill be over: no dirty page of it is flushed, and no vacuum due, while we measure."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("vacuum analyze pgflow.runs, pgflow.step_states, pgflow.step_tasks")
        conn.execute("checkpoint")


async def until_done(url: str, flow: Flow[Any]) -> None:
    """Wait until no run of the flow is under way.

    By looks that cost next to nothing, whatever is in the tables beside: at the run that was
    started last, and once it has ended, at the tasks that are left.
    """
    last = "select run_id from pgflow.runs where flow_slug = %s order by run_id desc limit 1"
    is_open = "select status = 'started' from pgflow.runs where run_id = %s"
    is_left = """
    select exists (
      select from pgflow.step_tasks
      where flow_slug = %(flow)s and status = 'queued' and order_at < 'infinity'
        and not claimed_apart
    ) or exists (
      select from pgflow.step_tasks
      where status = 'started' and last_worker_id is not null and flow_slug = %(flow)s
    )
    """
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute("set enable_seqscan to off")
        run = await (await conn.execute(last, (flow.slug,))).fetchone()
        while run is not None and await _says(conn, is_open, run):
            await asyncio.sleep(_LOOK)
        while await _says(conn, is_left, {"flow": flow.slug}):
            await asyncio.sleep(_LOOK)


async def _says(conn: psycopg.AsyncConnection[Any], question: LiteralString, about: Any) -> bool:
    row = await (await conn.execute(question, about)).fetchone()
    return row is not None and bool(row[0])


@asynccontextmanager
async def worker_here(
    url: str, flow: Flow[Any], options: WorkerOptions | None = None, *others: Flow[Any]
) -> AsyncIterator[None]:
    """Serve a flow, or several, from this process, with the default options."""
    worker = Worker([flow, *others], url, options)
    task = asyncio.create_task(worker.run())
    ready = asyncio.create_task(worker.wait_ready())
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield
    finally:
        ready.cancel()
        worker.drain()
        await task


@contextmanager
def workers_elsewhere(url: str, flow: Flow[Any], count: int, *others: Flow[Any]) -> Iterator[None]:
    """Serve a flow, or several, from so many processes, all of which are ready."""
    context = multiprocessing.get_context("fork")
    ready, ending = context.Semaphore(0), context.Event()
    processes = [
        context.Process(target=_serve, args=(url, (flow, *others), ready, ending))
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    try:
        for _ in processes:
            ready.acquire()
        yield
    finally:
        ending.set()
        for process in processes:
            process.join()


def _serve(
    url: str,
    flows: tuple[Flow[Any], ...],
    ready: multiprocessing.synchronize.Semaphore,
    ending: multiprocessing.synchronize.Event,
) -> None:
    async def serve() -> None:
        async with worker_here(url, flows[0], None, *flows[1:]):
            ready.release()
            await asyncio.to_thread(ending.wait)

    asyncio.run(serve())
