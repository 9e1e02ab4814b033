"""The flows that the worker serves."""

import asyncio

from pgflow_dsl import Flow

shop = Flow("shop", input=list[float])


@shop.map(over=shop.input)
async def pack(seconds: float) -> float:
    """Take as long as it says, in place of what your handlers do."""
    await asyncio.sleep(seconds)
    return seconds
