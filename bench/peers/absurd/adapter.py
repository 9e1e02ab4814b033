"""absurd: one async worker with a concurrency of 100; its SQL comes with absurdctl."""

import asyncio
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psycopg
from absurd_sdk import AsyncAbsurd
from absurdctl import BUNDLED_SCHEMA_SQL

sys.path.insert(0, str(Path(__file__).parents[2] / "src" / "pgflow_bench"))
import protocol

CONCURRENCY = 100


async def _fill(url: str, task: str, count: int) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        await conn.execute(BUNDLED_SCHEMA_SQL)
        app = AsyncAbsurd(conn, queue_name="bench")
        await app.create_queue("bench")
        for number in range(count):
            await app.spawn(task, {"number": number}, queue="bench")


def _drain(url: str, task: str, count: int, steps: int) -> Generator[None, None, dict[str, Any]]:
    async def work() -> float:
        app = AsyncAbsurd(url, queue_name="bench")
        left = count

        @app.register_task(task)
        async def run(params: Any, ctx: Any) -> None:
            nonlocal left
            for step in range(steps):
                await ctx.step(f"step-{step}", lambda: _value(1))
            left -= 1

        worker = asyncio.create_task(app.start_worker(concurrency=CONCURRENCY))
        began = time.perf_counter()
        while left > 0:
            await asyncio.sleep(0.005)
        seconds = time.perf_counter() - began
        app.stop_worker()
        await worker
        return seconds

    asyncio.run(_fill(url, task, count))
    yield
    return {"seconds": asyncio.run(work()), "units": count * max(steps, 1)}


async def _value(value: int) -> int:
    return value


def drain(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """Drain tasks that do nothing."""
    return _drain(url, "nothing", count, 0)


def chains(url: str, count: int) -> Generator[None, None, dict[str, Any]]:
    """Drain tasks of five steps, each of which is a checkpoint."""
    return _drain(url, "chain", count, 5)


protocol.main({"W1": drain, "W2": chains})
