"""What pages follow: each source reads its topic again and again, without haste."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import psycopg
from pgflow_client import PgflowError, RunNotFound
from pgflow_client.inspection import QueueDepth
from pgflow_client.versions import name_of

from pgflow_cli.ui.emitted import follow_items

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
    from uuid import UUID

    from pgflow_client import AsyncClient, Event
    from pgflow_client.inspection import Inspector

    from pgflow_cli.ui.queries import RunQuery

__all__ = ["DAY", "QueueHistory", "Sources"]

DAY: Final = timedelta(days=1)

# Seconds between two looks, unless a look takes so long that more of a pause is due.
_OFTEN: Final = 1.0
_SELDOM: Final = 2.0
# How much longer a pause is than the look before it.
_RATIO: Final = 8
# A run that goes on is looked at when something happened, but not more often than that.
_SHORTEST: Final = 0.15
_EVENTS: Final = 300
# How often the queue is measured, in seconds, and how many measurements are kept.
_MEASURE: Final = 5.0
_KEPT: Final = 720
_HEALTH_EVERY: Final = 15.0


class QueueHistory:
    """How much waited over time, as far as this process has seen it."""

    def __init__(self, inspector: Inspector) -> None:
        self._inspector: Final = inspector
        self._points: Final[deque[tuple[datetime, int, int, int]]] = deque(maxlen=_KEPT)

    @property
    def points(self) -> list[tuple[datetime, int, int, int]]:
        """Instants, each with the numbers of tasks that were ready, delayed and under way."""
        return list(self._points)

    @asynccontextmanager
    async def measuring(self) -> AsyncGenerator[None, None]:
        """Measure for as long as the context lasts."""
        task = asyncio.create_task(self._measure())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _measure(self) -> None:
        while True:
            # Whoever looks at the page is told what is wrong; here it is a gap in a line.
            with suppress(PgflowError, psycopg.Error):
                depths = await self._inspector.queue_depths()
                self._points.append(
                    (
                        datetime.now(UTC),
                        sum(depth.ready for depth in depths),
                        sum(depth.delayed for depth in depths),
                        sum(depth.held for depth in depths),
                    )
                )
            await asyncio.sleep(_MEASURE)


class Sources:
    """The sources of all topics.

    Args:
        inspector: Reads.
        client: Tells when a run changes.
        history: What waited over time.
    """

    def __init__(self, inspector: Inspector, client: AsyncClient, history: QueueHistory) -> None:
        self._inspector: Final = inspector
        self._client: Final = client
        self._history: Final = history

    async def flows(self, after: str, page: int) -> AsyncIterator[Mapping[str, object]]:
        """Read how flows fare."""
        while True:
            with _Pause(_SELDOM) as pause:
                flows = await self._inspector.flow_statistics(DAY, after=after, page=page)
                depths = _by_name(await self._inspector.queue_depths())
            yield {"flows": [{"flow": flow, "queue": depths.get(flow.flow_slug)} for flow in flows]}
            await pause.take()

    async def flow(self, flow_slug: str) -> AsyncIterator[Mapping[str, object]]:
        """Read how one flow fares, and what it is."""
        while True:
            with _Pause(_SELDOM) as pause:
                # What the page starts.
                definition = await self._inspector.definition(flow_slug, is_current=True)
                statistics = await self._inspector.flow_statistics(DAY, flow_slug=flow_slug)
            yield {"definition": definition, "statistics": next(iter(statistics), None)}
            await pause.take()

    async def runs(self, query: RunQuery) -> AsyncIterator[Mapping[str, object]]:
        """Read the first page of a list of runs."""
        while True:
            with _Pause(_OFTEN) as pause:
                page = await self._inspector.find_runs(
                    query.wanted, since=query.since, until=query.until
                )
            yield {"runs": page}
            await pause.take()

    async def workers(self) -> AsyncIterator[Mapping[str, object]]:
        """Read who works on what, what waits, and how the database fares."""
        health: object = None
        health_at = float("-inf")
        while True:
            with _Pause(_SELDOM) as pause:
                workers = await self._inspector.workers()
                depths = await self._inspector.queue_depths()
                if time.monotonic() - health_at > _HEALTH_EVERY:
                    health, health_at = await self._inspector.health(), time.monotonic()
            yield {
                "workers": [{"worker": worker, "load": load} for worker, load in workers],
                "queues": depths,
                "history": self._history.points,
                "health": health,
            }
            await pause.take()

    def items(self, run_id: UUID, step_slug: str) -> AsyncIterator[Mapping[str, object]]:
        """Follow what a step of a run emits."""
        return follow_items(self._client, run_id, step_slug)

    async def run(self, run_id: UUID) -> AsyncIterator[Mapping[str, object]]:
        """Read one run: whenever something happened to it, and now and then anyway."""
        async with _Happenings(self._client, run_id) as happenings:
            while True:
                with _Pause(_SHORTEST) as pause:
                    details = await self._inspector.run_details(run_id)
                if details is None:
                    raise RunNotFound(f"run {run_id} does not exist", "it may have been deleted")
                happenings.follow(details.progress.reopened_count)
                yield {
                    "summary": details.summary,
                    "progress": details.progress,
                    "sizes": details.sizes,
                    "tasks": details.tasks,
                    "failures": details.failures,
                    "streams": details.streams,
                    "events": happenings.latest,
                }
                await pause.take()
                await happenings.wait(_SELDOM if details.progress.is_ended else _OFTEN)


class _Happenings:
    """The events of a run as they come."""

    def __init__(self, client: AsyncClient, run_id: UUID) -> None:
        self._client: Final = client
        self._run_id: Final = run_id
        self._news: Final = asyncio.Event()
        self._told: Final[deque[dict[str, Any]]] = deque(maxlen=_EVENTS)
        self._cursor: str | None = None
        self._is_known = False
        self._task: asyncio.Task[None] | None = None
        self._reopened_count = 0

    async def __aenter__(self) -> _Happenings:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    @property
    def latest(self) -> list[dict[str, Any]] | None:
        """The latest of them; None until it is known whether there are any."""
        return list(self._told) if self._told or self._is_known else None

    def follow(self, reopened_count: int) -> None:
        """Follow the events, and go on where they ended when the run has been reopened."""
        if self._task is None or (self._task.done() and self._reopened_count != reopened_count):
            self._task = asyncio.create_task(self._listen())
            self._reopened_count = reopened_count

    async def wait(self, longest: float) -> None:
        """Return when something happened, or the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(longest):
                await self._news.wait()
        self._news.clear()

    async def _listen(self) -> None:
        # Without its events a run is still looked at, more seldom.
        with suppress(PgflowError, psycopg.Error):
            run = await self._client.get_run(self._run_id)
            async for event in run.events(after=self._cursor):
                self._told.append(_event(event))
                self._cursor = event.cursor
                self._news.set()
        self._is_known = True
        self._news.set()


def _by_name(depths: Iterable[QueueDepth]) -> dict[str, QueueDepth]:
    """Return what waits of each flow, in all its versions."""
    summed: dict[str, QueueDepth] = {}
    for each in depths:
        name = name_of(each.flow_slug)
        so_far = summed.get(name)
        summed[name] = QueueDepth(
            flow_slug=name,
            ready=each.ready + (so_far.ready if so_far else 0),
            delayed=each.delayed + (so_far.delayed if so_far else 0),
            held=each.held + (so_far.held if so_far else 0),
        )
    return summed


def _event(event: Event) -> dict[str, Any]:
    fields = asdict(event)
    del fields["run_id"], fields["cursor"]
    return {"event": type(event).__name__, **fields}


class _Pause:
    """Measures a look, and makes a pause of it that leaves most of the time to others."""

    def __init__(self, shortest: float) -> None:
        self._shortest: Final = shortest
        self._began_at = 0.0
        self._took = 0.0

    def __enter__(self) -> _Pause:
        self._began_at = time.monotonic()
        return self

    def __exit__(self, *error: object) -> None:
        self._took = time.monotonic() - self._began_at

    async def take(self) -> None:
        await asyncio.sleep(max(self._shortest, _RATIO * self._took))
