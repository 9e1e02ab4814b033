"""The flows that are measured; their handlers do next to nothing."""

import asyncio
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


crowd: Final = Flow("bench_crowd", input=list[float])


@crowd.map(over=crowd.input, slug="each")
async def crowd_each(sent: float) -> float:
    """Return the seconds since the start of the run; wait a little, so that a map takes long."""
    waited = time.perf_counter() - sent
    await asyncio.sleep(0.02)
    return waited


fan_out: Final = Flow("bench_fan_out", input=int)


@fan_out.step(slug="spread")
async def fan_out_spread(width: int = fan_out.input) -> list[int]:
    """Make an array of so many elements."""
    return list(range(width))


@fan_out.map(over=fan_out_spread.output, slug="each")
async def fan_out_each(value: int) -> int:
    """Return at once, once for each element."""
    return value


@fan_out.step(slug="total")
async def fan_out_total(values: list[int] = fan_out_each.output) -> int:
    """Gather the elements."""
    return len(values)


waiting: Final = Flow("bench_waiting", input=int)


@waiting.step(slug="only")
async def waiting_only(value: int = waiting.input) -> int:
    """Wait for 10 ms, as a call of another service does."""
    await asyncio.sleep(0.01)
    return value


computing: Final = Flow("bench_computing", input=int)


@computing.step(slug="only", executor="process")
def computing_only(value: int = computing.input) -> int:
    """Keep a CPU busy for 5 ms."""
    end = time.perf_counter() + 0.005
    while time.perf_counter() < end:
        pass
    return value


payload: Final = Flow("bench_payload", input=str)


@payload.step(slug="first")
async def payload_first(text: str = payload.input) -> str:
    """Pass the text on."""
    return text


@payload.step(slug="second")
async def payload_second(text: str = payload_first.output) -> str:
    """Pass the text on."""
    return text


@payload.step(slug="third")
async def payload_third(text: str = payload_second.output) -> str:
    """Pass the text on."""
    return text


payload_map: Final = Flow("bench_payload_map", input=list[str])


@payload_map.map(over=payload_map.input, slug="each")
async def payload_map_each(text: str) -> str:
    """Pass an element on."""
    return text


@payload_map.step(slug="total")
async def payload_map_total(texts: list[str] = payload_map_each.output) -> int:
    """Gather the elements."""
    return len(texts)
