"""The flows that are measured; their handlers do next to nothing."""

import time
from typing import Final

from pgflow_dsl import Flow

one: Final = Flow("bench_one", input=int)


@one.step(slug="only")
async def one_only(value: int = one.input) -> int:
    """Return at once."""
    return value


chain: Final = Flow("bench_chain", input=int)


@chain.step(slug="first")
async def chain_first(value: int = chain.input) -> int:
    """Pass the value on."""
    return value


@chain.step(slug="second")
async def chain_second(value: int = chain_first.output) -> int:
    """Pass the value on."""
    return value


@chain.step(slug="third")
async def chain_third(value: int = chain_second.output) -> int:
    """Pass the value on."""
    return value


@chain.step(slug="fourth")
async def chain_fourth(value: int = chain_third.output) -> int:
    """Pass the value on."""
    return value


@chain.step(slug="fifth")
async def chain_fifth(value: int = chain_fourth.output) -> int:
    """Pass the value on."""
    return value


fan: Final = Flow("bench_fan", input=list[int])


@fan.map(over=fan.input, slug="each")
async def fan_each(value: int) -> int:
    """Return at once, once for each element."""
    return value


@fan.step(slug="total")
async def fan_total(values: list[int] = fan_each.output) -> int:
    """Gather the elements."""
    return len(values)


pickup: Final = Flow("bench_pickup", input=float)


@pickup.step(slug="only")
async def pickup_only(sent: float = pickup.input) -> float:
    """Return the seconds between the start of the run and this call, in one process."""
    return time.perf_counter() - sent
