"""Streams: how fast items are stored, and how soon somebody who watches has them."""

import asyncio
import time
from typing import Final

from pgflow_client import AsyncClient
from pgflow_dsl import Context, Flow

from pgflow_bench.serving import worker_here

_IDLE: Final = 0.03
# About what a language model says at a time.
_TOKEN: Final = "token "

emitting: Final = Flow("bench_emitting", input=list[int])


@emitting.map(over=emitting.input, slug="on_loop")
async def emit_on_loop(count: int, ctx: Context) -> None:
    """Emit so many items from a coroutine."""
    for _ in range(count):
        await ctx.emit(_TOKEN)


in_threads: Final = Flow("bench_in_threads", input=list[int])


@in_threads.map(over=in_threads.input, slug="in_thread")
def emit_in_thread(count: int, ctx: Context) -> None:
    """Emit so many items from a thread."""
    for _ in range(count):
        ctx.emit(_TOKEN)


ticking: Final = Flow("bench_ticking", input=int)


@ticking.step(slug="only")
async def tick(ctx: Context, count: int = ticking.input) -> None:
    """Emit what time it is, so many times, each when it is quiet."""
    for _ in range(count):
        await asyncio.sleep(_IDLE)
        await ctx.emit(time.perf_counter())


silent: Final = Flow("bench_silent", input=int)


@silent.step(slug="only")
async def say_nothing(ctx: Context, value: int = silent.input) -> int:
    """Take a context, and emit nothing."""
    return value


async def delivery_ms(url: str, count: int) -> list[float]:
    """Return the times from before an emit to the item in the hands of a reader in this process."""
    async with worker_here(url, ticking), AsyncClient(url) as client:
        run = await client.start_flow(ticking, count)
        items = run.stream(tick, item_type=float)
        return [1000 * (time.perf_counter() - item.value) async for item in items]
