"""A run's events and the items of its streams, in one order, as Server-Sent Events."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from pgflow_client._functions.runs import get_run_reopenings
from pgflow_client._sse import HEARTBEAT, RETRY, format_event, format_item
from pgflow_client.events import (
    AttemptsFailed,
    RunEnded,
    RunReopened,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Iterable, Mapping

    from pgflow_client._async.looks import Looks
    from pgflow_client._async.stream import StreamReader
    from pgflow_client._async.watcher import Watch
    from pgflow_client._feed_cursor import FeedCursor
    from pgflow_client._follow import Follower, Reopening
    from pgflow_client.events import Event
    from pgflow_client.progress import RunProgress

__all__ = ["Feed"]

_ENDS_OF_STEPS = (AttemptsFailed, StepCancelled, StepCompleted, StepFailed, StepSkipped)


class Feed:
    """Tells one reader of a run and of some of its streams."""

    def __init__(
        self,
        looks: Looks,
        follower: Follower,
        readers: Mapping[str, StreamReader[str]],
        cursor: FeedCursor,
    ) -> None:
        """Begin where the follower, the readers and the cursor stand.

        Args:
            looks: Asks the database.
            follower: Tells the run's events.
            readers: Read the streams, by step.
            cursor: Where all of these stand.
        """
        self._looks = looks
        self._follower = follower
        self._readers = readers
        self._cursor = cursor
        self._reopened_count = 0
        self._reopened: frozenset[str] = frozenset()

    async def texts(self, watch: Watch, heartbeat: float) -> AsyncGenerator[str, None]:
        """Yield events and items, until there can be no more; nothing, if there is none at all.

        Items come before the end of their step, and after its start.

        Args:
            watch: What the looks go by.
            heartbeat: After so many seconds without anything a comment is yielded.
        """
        is_begun = False
        with watch:
            while True:
                for event in await self._look(watch):
                    for slug in self._streams_before(event):
                        while not self._readers[slug].has_read_all:
                            for text in await self._next_items(slug):
                                watch.expect_more()
                                yield text
                    if event is not None:
                        yield self._tell(event)
                if self._is_done():
                    return
                if not is_begun:
                    is_begun = True
                    yield RETRY
                while not await self._looks.pause(heartbeat):
                    yield HEARTBEAT

    async def _look(self, watch: Watch) -> Iterable[Event | None]:
        """Return the events that are new, and a last one that is none."""
        for reader in self._readers.values():
            reader.has_read_all = reader.is_ended
        if not watch.take_change():
            return [None]
        progress = await self._looks.look()
        reopenings = await self._reopenings(progress)
        self._reopened_count = progress.reopened_count
        self._reopened = frozenset(slug for each in reopenings for slug in each.step_slugs)
        return chain(self._follower.follow(progress, reopenings), [None])

    def _is_done(self) -> bool:
        are_ended = all(reader.is_ended for reader in self._readers.values())
        return self._follower.is_done and are_ended

    def _streams_before(self, event: Event | None) -> Collection[str]:
        """Return the streams whose items have to be told before an event, None for the last."""
        if event is None or isinstance(event, RunEnded):
            return self._readers
        if isinstance(event, _ENDS_OF_STEPS) and event.step_slug in self._readers:
            # What is told of the time before a step was repeated is older than its items.
            is_past = self._follower.reopened_count < self._reopened_count
            if not (is_past and event.step_slug in self._reopened):
                return [event.step_slug]
        return []

    async def _next_items(self, slug: str) -> list[str]:
        texts: list[str] = []
        for item in await self._readers[slug].next_page():
            self._cursor.places[slug] = item.cursor
            texts.append(format_item(slug, item, self._cursor))
        return texts

    def _tell(self, event: Event) -> str:
        if isinstance(event, RunReopened):
            for reader in self._readers.values():
                reader.is_ended = reader.has_read_all = False
        self._cursor.event = event.cursor
        return format_event(event, self._cursor)

    async def _reopenings(self, progress: RunProgress) -> list[Reopening]:
        known = self._follower.reopened_count
        if progress.reopened_count <= known:
            return []
        return await self._looks.ask(get_run_reopenings(progress.run_id, known))
