"""A short load on a database: how fast one worker gets through what real flows are made of."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from pgflow_client import AsyncClient
from pgflow_dsl import Flow
from pgflow_worker import Worker, WorkerOptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

__all__ = ["Figure", "Trial"]

_CHAIN: Final = 5
_LATENCIES: Final = 40
_WARM_UP: Final = 5
_PATIENCE: Final = timedelta(minutes=5)
# Why a trial's own flows are named like this: nobody else has one of that name.
_PREFIX: Final = "pgflow_bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured.

    Attributes:
        what: In words.
        value: The number.
        unit: Of the number.
    """

    what: str
    value: float
    unit: str


class Trial:
    """Flows that do nothing, as fast as the database and one worker can.

    Args:
        url: The database.
        size: How many runs of one step, and how many elements of a map.
    """

    def __init__(self, url: str, size: int) -> None:
        self._url: Final = url
        self._size: Final = size
        name = f"{_PREFIX}_{uuid4().hex[:8]}"
        self._started_at: Final[list[float]] = []
        self._one: Final = _one(f"{name}_one", self._started_at)
        self._chain: Final = _chain(f"{name}_chain")
        self._fan: Final = _fan(f"{name}_map")

    @property
    def flow_slugs(self) -> tuple[str, ...]:
        """The flows that it leaves in the database, to be deleted."""
        return (self._one.slug, self._chain.slug, self._fan.slug)

    @property
    def parts(self) -> int:
        """How many parts it has."""
        return 4

    async def run(self, advance: Callable[[int], None]) -> list[Figure]:
        """Measure.

        Args:
            advance: Called with 1 after each part.
        """
        figures: list[Figure] = []
        async with AsyncClient(self._url) as client, self._working():
            for part in (self._latency, self._runs, self._chains, self._elements):
                figures += await part(client)
                advance(1)
        return figures

    @asynccontextmanager
    async def _working(self) -> AsyncGenerator[None, None]:
        flows: list[Flow[Any]] = [self._one, self._chain, self._fan]
        worker = Worker(flows, self._url, WorkerOptions(shutdown_timeout=timedelta(seconds=1)))
        running = asyncio.create_task(worker.run())
        try:
            await worker.wait_ready()
            yield
        finally:
            worker.stop()
            await running

    async def _latency(self, client: AsyncClient) -> list[Figure]:
        starts: list[float] = []
        ends: list[float] = []
        for number in range(_WARM_UP + _LATENCIES):
            self._started_at.clear()
            began = time.perf_counter()
            run = await client.start_flow(self._one, number)
            await run.wait(_PATIENCE)
            ended = time.perf_counter()
            if number >= _WARM_UP:
                starts.append((self._started_at[0] - began) * 1000)
                ends.append((ended - began) * 1000)
        return [
            Figure(
                what="from a start to inside its handler, idle", value=median(starts), unit="ms"
            ),
            Figure(what="from a start to the end of its run, idle", value=median(ends), unit="ms"),
        ]

    async def _runs(self, client: AsyncClient) -> list[Figure]:
        began = time.perf_counter()
        runs = await client.start_flows(self._one, range(self._size))
        started = time.perf_counter()
        for run in runs[-100:]:
            await run.wait(_PATIENCE)
        took = time.perf_counter() - began
        return [
            Figure(what="runs started in bulk", value=self._size / (started - began), unit="/s"),
            Figure(what="runs of one step, drained", value=self._size / took, unit="/s"),
        ]

    async def _chains(self, client: AsyncClient) -> list[Figure]:
        count = max(1, self._size // _CHAIN)
        began = time.perf_counter()
        for run in (await client.start_flows(self._chain, range(count)))[-100:]:
            await run.wait(_PATIENCE)
        rate = count * _CHAIN / (time.perf_counter() - began)
        return [Figure(what=f"steps of chains of {_CHAIN}, drained", value=rate, unit="/s")]

    async def _elements(self, client: AsyncClient) -> list[Figure]:
        began = time.perf_counter()
        run = await client.start_flow(self._fan, list(range(self._size)))
        await run.wait(_PATIENCE)
        rate = self._size / (time.perf_counter() - began)
        return [Figure(what=f"elements of a map of {self._size:,}", value=rate, unit="/s")]


def _one(slug: str, started_at: list[float]) -> Flow[int]:
    flow = Flow(slug, input=int)

    @flow.step
    async def only(number: int = flow.input) -> int:
        started_at.append(time.perf_counter())
        return number

    return flow


def _chain(slug: str) -> Flow[int]:
    flow = Flow(slug, input=int)

    @flow.step
    async def first(number: int = flow.input) -> int:
        return number

    @flow.step
    async def second(number: int = first.output) -> int:
        return number

    @flow.step
    async def third(number: int = second.output) -> int:
        return number

    @flow.step
    async def fourth(number: int = third.output) -> int:
        return number

    @flow.step
    async def fifth(number: int = fourth.output) -> int:
        return number

    return flow


def _fan(slug: str) -> Flow[list[int]]:
    flow = Flow(slug, input=list[int])

    @flow.map(over=flow.input)
    async def each(number: int) -> int:
        return number

    return flow
