"""procrastinate: one async worker, with the concurrency and pool that measured best."""

import asyncio
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import procrastinate

sys.path.insert(0, str(Path(__file__).parents[2] / "src" / "pgflow_bench"))
import protocol

CONCURRENCY = 5


def _app(url: str) -> procrastinate.App:
    return procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=url, min_size=2, max_size=6)
    )


def drain(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """Drain jobs that do nothing."""
    app = _app(url)

    @app.task(queue="bench")
    async def job(number: int) -> None:
        pass

    async def fill() -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            for first in range(0, count, 1000):
                some = range(first, min(first + 1000, count))
                await job.batch_defer_async(*({"number": number} for number in some))

    async def work() -> float:
        async with app.open_async():
            began = time.perf_counter()
            await app.run_worker_async(concurrency=CONCURRENCY, wait=False)
            return time.perf_counter() - began

    asyncio.run(fill())
    yield
    return {"seconds": asyncio.run(work()), "units": count}


def pickup(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """From before a job is deferred to inside its handler, with an idle worker."""
    app = _app(url)
    latencies: list[float] = []
    arrived = asyncio.Event()

    @app.task(queue="bench")
    async def job(sent: float) -> None:
        latencies.append(1000 * (time.perf_counter() - sent))
        arrived.set()

    async def work() -> None:
        async with app.open_async():
            worker = asyncio.create_task(app.run_worker_async(concurrency=CONCURRENCY))
            await asyncio.sleep(1)
            for _ in range(count):
                await asyncio.sleep(0.03)
                arrived.clear()
                await job.defer_async(sent=time.perf_counter())
                await arrived.wait()
            worker.cancel()
            await asyncio.wait({worker}, timeout=2)

    async def install() -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    asyncio.run(install())
    yield
    asyncio.run(work())
    return {"latencies_ms": latencies}


protocol.main({"W1": drain, "W4": pickup})
