"""pgqueuer: its own benchmark's settings, and the ones that measured best."""

import asyncio
import sys
import time
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

sys.path.insert(0, str(Path(__file__).parents[2] / "src" / "pgflow_bench"))
import protocol

OWN = (5, 10)
TUNED = (2, 500)


async def _install(url: str, jobs: int) -> None:
    conn = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(conn))
    await queries.install()
    for first in range(0, jobs, 1000):
        some = min(1000, jobs - first)
        await queries.enqueue(["job"] * some, [None] * some, [0] * some)
    await conn.close()


async def _consumer(url: str, batch_size: int) -> None:
    pgq = PgQueuer(AsyncpgDriver(await asyncpg.connect(url)))

    @pgq.entrypoint("job")
    async def job(_: Any) -> None:
        pass

    await pgq.run(
        dequeue_timeout=timedelta(seconds=0),
        batch_size=batch_size,
        mode=QueueExecutionMode.drain,
    )


def _drain(
    url: str, count: int, settings: tuple[int, int]
) -> Generator[None, None, dict[str, Any]]:
    consumers, batch_size = settings

    async def work() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(_consumer(url, batch_size) for _ in range(consumers)))
        return time.perf_counter() - began

    uvloop.run(_install(url, count))
    yield
    return {"seconds": uvloop.run(work()), "units": count}


def drain_own(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """Drain jobs that do nothing, as its own benchmark does."""
    return _drain(url, count, OWN)


def drain_tuned(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """Drain jobs that do nothing, with large batches."""
    return _drain(url, count, TUNED)


def pickup(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """From before a job is enqueued to inside its handler, with an idle worker."""
    latencies: list[float] = []

    async def work() -> None:
        arrived = asyncio.Event()
        pgq = PgQueuer(AsyncpgDriver(await asyncpg.connect(url)))

        @pgq.entrypoint("job")
        async def job(got: Any) -> None:
            latencies.append(1000 * (time.perf_counter() - float(got.payload)))
            arrived.set()

        worker = asyncio.create_task(pgq.run())
        queries = Queries(AsyncpgDriver(await asyncpg.connect(url)))
        await asyncio.sleep(1)
        for _ in range(count):
            await asyncio.sleep(0.03)
            arrived.clear()
            await queries.enqueue("job", str(time.perf_counter()).encode())
            await arrived.wait()
        worker.cancel()
        await asyncio.wait({worker}, timeout=2)

    uvloop.run(_install(url, 0))
    yield
    uvloop.run(work())
    return {"latencies_ms": latencies}


protocol.main({"W1": drain_own, "W1-tuned": drain_tuned, "W4": pickup})
