# Made by tools/make_sync.py from _async/run_streams.py: edit that file, then run the tool.
# ruff: noqa: SIM117, UP028, RUF100 (what stood apart to be async need not stand apart here)
"""The part of a run's handle that reads what its steps emit."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from pgflow_dsl.items import item_loader

from pgflow_client._feed_cursor import FeedCursor
from pgflow_client._follow import Follower
from pgflow_client._sync.feed import Feed
from pgflow_client._sync.looks import Looks
from pgflow_client._sync.stream import StreamReader
from pgflow_client.errors import WrongFlow

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from uuid import UUID

    from pgflow_dsl import AnyStep

    from pgflow_client._sync.hub import Hub
    from pgflow_client.streams import StreamItem

__all__ = ["RunStreams"]

T = TypeVar("T")

_HEARTBEAT: Final = timedelta(seconds=15)


class RunStreams:
    """A run that is known by its id and its flow, and whose streams can be read."""

    def __init__(self, hub: Hub, run_id: UUID, flow_slug: str) -> None:
        self.run_id = run_id
        self.flow_slug = flow_slug
        self._hub = hub
        self._database = hub.database

    @overload
    def stream(
        self,
        step: AnyStep | str,
        *,
        task_index: int | None = None,
        after: int = 0,
        all_attempts: bool = False,
        item_type: type[T],
    ) -> Generator[StreamItem[T], None, None]: ...
    @overload
    def stream(
        self,
        step: AnyStep | str,
        *,
        task_index: int | None = None,
        after: int = 0,
        all_attempts: bool = False,
    ) -> Generator[StreamItem[Any], None, None]: ...
    def stream(
        self,
        step: AnyStep | str,
        *,
        task_index: int | None = None,
        after: int = 0,
        all_attempts: bool = False,
        item_type: Any = None,
    ) -> Generator[StreamItem[Any], None, None]:
        """Yield what a step has emitted so far, then what it emits, until it has ended.

        Items of a task come in the order in which they were emitted, each once. When a task is
        tried again, what the failed attempt emitted is void, and the first item of the next attempt
        says so with `is_restart`; somebody who comes later sees the latest attempt alone.

        Args:
            step: The step, or its slug where the flow's code is not at hand.
            task_index: One element of a map; None yields the items of all as they come.
            after: The `cursor` of the last item that is known already; 0 begins with the first.
            all_attempts: Whether to yield what failed attempts emitted, too.
            item_type: What the items are, such as a pydantic model; without it, JSON-like data.

        Raises:
            ItemInvalid: An item is not of the type.
            WrongFlow: It is a step of another flow.
            StepNotFound: The flow, as the database knows it, has no such step.
            WaitInTransaction: The client is on the caller's connection, whose transaction is open.
            RunNotFound: It has been deleted, or its start was never committed.
        """
        slug = self._slug_of(step)
        load = json.loads if item_type is None else item_loader(self.flow_slug, slug, item_type)
        watch = self._hub.watch(self.run_id, wants_items=True)
        reader = StreamReader(
            Looks(self._database, watch, self.flow_slug),
            self.run_id,
            slug,
            load,
            task_index=task_index,
            after=after,
            all_attempts=all_attempts,
        )
        return reader.items(watch)

    def sse(
        self,
        *,
        streams: Iterable[AnyStep | str] = (),
        after: str | None = None,
        heartbeat: timedelta = _HEARTBEAT,
    ) -> Generator[str, None, None]:
        """Yield the run's events, and what steps emit, as the text of Server-Sent Events.

        For a response of the type `text/event-stream` in whatever framework; see
        `pgflow_client.web` for Starlette and FastAPI. Events are named as their classes are, in
        snake case, and their data are their fields as JSON. Items are named `item`; their data is
        `{"step_slug", "task_index", "attempt", "is_restart", "at", "value"}`. An item comes after
        the start of its step and before its end. After `run_ended` nothing follows, and a browser's
        `EventSource` should be closed: it would come back.

        Args:
            streams: Steps whose items are told, too, by themselves or their slugs.
            after: The id of the last event that is known already, which a browser that comes back
                sends as `Last-Event-ID`; None begins with the first event.
            heartbeat: How often there is a comment while nothing else is to be told.

        Raises:
            CursorInvalid: The text is no such id, or one of another run.
            WrongFlow: A step is one of another flow.
            StepNotFound: The flow, as the database knows it, has no such step.
            WaitInTransaction: The client is on the caller's connection, whose transaction is open.
            RunNotFound: It has been deleted, or its start was never committed.
        """
        slugs = [self._slug_of(step) for step in streams]
        cursor = FeedCursor() if after is None else FeedCursor.parse(after, self.run_id)
        watch = self._hub.watch(self.run_id, wants_items=True)
        looks = Looks(self._database, watch, self.flow_slug)
        readers = {
            slug: StreamReader(looks, self.run_id, slug, str, after=cursor.places.get(slug, 0))
            for slug in slugs
        }
        feed = Feed(looks, Follower(self.run_id, cursor.event), readers, cursor)
        return feed.texts(watch, heartbeat.total_seconds())

    def _slug_of(self, step: AnyStep | str) -> str:
        if isinstance(step, str):
            return step
        if getattr(step, "flow", None) is None:
            raise TypeError(f"a step is a Step or the slug of one, not {step!r:.100}")
        if step.flow.slug != self.flow_slug:
            raise WrongFlow(self.run_id, self.flow_slug, repr(step))
        return step.slug
