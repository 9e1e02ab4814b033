"""Tells those who wait for runs when to look: one connection for all of a client's waits."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID, uuid4

from pgflow_client._async.database import execute
from pgflow_client._functions.runs import (
    CHANNEL,
    STREAM_CHANNEL,
    get_run_versions,
    unwatch_runs,
    watch_runs,
)
from pgflow_client._marks import LIFETIME, Marks
from pgflow_client._pace import Backoff, Pace
from pgflow_client._runtime.aio import Bell, Flag, Worker, join, sleep, spawn
from pgflow_client.errors import ClientClosed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from psycopg import AsyncConnection, Notify

    from pgflow_client._async.database import Database
    from pgflow_client._functions.call import Call

__all__ = ["Watch", "Watcher"]

T = TypeVar("T")

logger = logging.getLogger("pgflow.client")

# Seconds. How long the connection is kept when nobody waits any more, for the next one who does.
_LINGER: Final = 60.0
_LONGEST_PAUSE: Final = 15.0
# A watch that is served is told when to look. This is for what nobody has thought of.
_LONGEST_REST: Final = 600.0


class Watch:
    """One caller's interest in one run: says when to look again.

    Attributes:
        run_id: The run.
        is_served: Whether the watcher says when the run may have changed. If not, the watch has
            to look by itself.
        wants_items: Whether what the run's steps emit is of interest, too.
        ends_only: Whether nothing but the end of the run is of interest.
        is_stopped: Whether the caller wants no more looks.
    """

    def __init__(
        self,
        run_id: UUID,
        watcher: Watcher | None,
        *,
        wants_items: bool = False,
        ends_only: bool = False,
    ) -> None:
        self.run_id = run_id
        self.wants_items = wants_items
        self.ends_only = ends_only
        self.is_served = False
        self.is_stopped: bool = False
        self._watcher = watcher
        self._flag = Flag()
        self._pace = Pace()
        self._may_have_changed = True

    def prompt(self, *, is_item: bool = False) -> None:
        """End the wait for the next look.

        Args:
            is_item: Whether all that is new is what a step emitted.
        """
        if is_item and not self.wants_items:
            return
        if not is_item:
            self._may_have_changed = True
        self._flag.set()

    def take_change(self) -> bool:
        """Return whether the run itself may have changed since this was asked last."""
        may_have_changed, self._may_have_changed = self._may_have_changed, False
        return may_have_changed

    def stop(self) -> None:
        """Have the caller end, once it is done with what it is at."""
        self.is_stopped = True
        self._flag.set()

    def expect_more(self) -> None:
        """Look again soon, where nobody says when: news rarely come alone."""
        self._pace.restart()

    async def until_next_look(self, longest: float) -> bool:
        """Wait until the run may have changed, or it is time to look anyway; return whether it is.

        Args:
            longest: At most so many seconds.
        """
        delay = _LONGEST_REST if self.is_served else self._pace.next_delay()
        was_prompted = await self._flag.take(min(delay, longest))
        if not was_prompted:
            self._may_have_changed = True
        elif (gap := self._pace.take_gap()) > 0:
            await sleep(min(gap, longest))
        return was_prompted or delay <= longest

    def __enter__(self) -> Watch:
        if self._watcher is not None:
            self._watcher.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Without waiting for anything, so that a cancelled caller leaves nothing behind.
        if self._watcher is not None:
            self._watcher.remove(self)


class Watcher:
    """Has a client's runs marked as watched, and passes notifications on to its watches.

    All of it is help and nothing is truth: a watch whose notification never comes looks by itself.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._id = uuid4()
        # Re-entrant: the collector may end an abandoned iterator in the midst of any of this.
        self._lock = threading.RLock()
        self._watches: dict[UUID, set[Watch]] = {}
        self._changed: set[UUID] = set()
        # Marks of a connection that was lost, some of which nobody may want any more.
        self._left: set[UUID] = set()
        self._bell: Bell | None = None
        self._worker: Worker | None = None
        self._is_closed = False

    def add(self, watch: Watch) -> None:
        """Have a watch prompted."""
        with self._lock:
            if self._is_closed:
                raise ClientClosed
            others = self._watches.setdefault(watch.run_id, set())
            alike = {other for other in others if watch.ends_only or not other.ends_only}
            if not alike:
                self._changed.add(watch.run_id)
            # What it looks at from here on is no older than what the others were told.
            watch.is_served = any(other.is_served for other in alike)
            others.add(watch)
            if self._bell is None:
                self._bell = Bell()
                self._worker = spawn(self._serve, "pgflow-client-watcher")
            self._bell.ring()

    def remove(self, watch: Watch) -> None:
        """Have a watch prompted no more."""
        with self._lock:
            watches = self._watches.get(watch.run_id, set())
            watches.discard(watch)
            if not watches and self._watches.pop(watch.run_id, None) is not None:
                self._changed.add(watch.run_id)
                self._ring()

    async def close(self) -> None:
        """Take back the marks and close the connection."""
        with self._lock:
            self._is_closed = True
            worker = self._worker
            self._ring()
        if worker is not None:
            await join(worker)

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.ring()

    async def _serve(self) -> None:
        backoff = Backoff(first=0.05, longest=_LONGEST_PAUSE)
        try:
            while not self._is_over():
                began_at = time.monotonic()
                try:
                    await self._listen()
                except Exception as error:
                    # Whoever waits goes on looking by itself, and tells its caller what is wrong.
                    logger.info("runs are polled, not listened to, for now: %s", error)
                    if time.monotonic() - began_at > _LONGEST_PAUSE:
                        backoff.restart()
                    await self._pause(backoff.next_delay())
        except BaseException:
            with self._lock:
                self._forget_worker()
            raise

    def _is_over(self) -> bool:
        # In one step with forgetting the worker: a watch that is added next starts another.
        with self._lock:
            is_over = self._is_closed or not self._watches
            if is_over:
                self._forget_worker()
            return is_over

    def _forget_worker(self) -> None:
        if self._bell is not None:
            self._bell.close()
        self._bell = self._worker = None

    async def _pause(self, seconds: float) -> None:
        # Rings tell of watches that come and go, which is no reason to reconnect any sooner.
        end = time.monotonic() + seconds
        bell = self._bell
        while bell is not None and not self._is_closed and (left := end - time.monotonic()) > 0:
            await bell.wait(None, left)

    async def _listen(self) -> None:
        conn = await self._database.open_listener()
        if conn is None:
            reason = "there is a pooler before the database, or it only follows another"
            logger.info("runs are polled, not listened to: %s", reason)
        else:
            conn.add_notify_handler(self._on_notify)
        marks = Marks(is_heard=conn is not None)
        try:
            with self._lock:
                self._changed.update(self._watches)
            if conn is not None:
                await self._take_back(conn)
            await self._tend(conn, marks)
        finally:
            self._serve_no_more()
            if conn is not None:
                self._left |= marks.run_ids
                await conn.close()

    async def _take_back(self, conn: AsyncConnection[Any]) -> None:
        with self._lock:
            unwanted = self._left.difference(self._watches)
        if unwanted:
            await execute(conn, unwatch_runs(self._id, unwanted))
        self._left.clear()

    async def _tend(self, conn: AsyncConnection[Any] | None, marks: Marks) -> None:
        """Mark and unmark runs and pass on what is new, until nobody is left to do it for."""
        while True:
            await self._mark(conn, marks)
            is_renewal = marks.take_renewal()
            if is_renewal:
                for run_ids, ends_only in (
                    (marks.run_ids - marks.ends_only, False),
                    (marks.ends_only, True),
                ):
                    await self._write_marks(conn, run_ids, ends_only=ends_only)
            if asked := marks.due(is_renewal=is_renewal):
                question = get_run_versions(asked, is_first=marks.is_first)
                answer = await self._call(conn, question)
                self._prompt(marks.learn(asked, answer), is_served=True)
            if conn is not None:
                self._drain(conn)
            bell = self._bell
            if self._is_closed or bell is None:
                if conn is not None and marks.run_ids:
                    await execute(conn, unwatch_runs(self._id, marks.run_ids))
                    marks.discard(set(marks.run_ids))
                return
            left = marks.seconds_left() if marks.run_ids else _LINGER
            was_rung = await bell.wait(None if conn is None else conn.fileno(), left)
            # With marks left there is something to take back: a ring may come as the time is up.
            if not was_rung and not self._watches and not marks.run_ids:
                return

    async def _mark(self, conn: AsyncConnection[Any] | None, marks: Marks) -> None:
        fresh, fresh_ends, kept, gone = self._take_changes(marks)
        self._prompt(kept, is_served=True)
        if gone:
            if conn is not None:
                await execute(conn, unwatch_runs(self._id, gone))
            marks.discard(gone)
        for run_ids, ends_only in ((fresh, False), (fresh_ends, True)):
            # Before it is known whether they are written: if the connection breaks, they may be.
            marks.add(run_ids, ends_only=ends_only)
            await self._write_marks(conn, run_ids, ends_only=ends_only)

    async def _write_marks(
        self, conn: AsyncConnection[Any] | None, run_ids: set[UUID], *, ends_only: bool
    ) -> None:
        # Where nothing is heard, nobody has to be told to notify.
        if conn is not None and run_ids:
            await execute(conn, watch_runs(self._id, run_ids, LIFETIME, ends_only=ends_only))

    async def _call(self, conn: AsyncConnection[Any] | None, call: Call[T]) -> T:
        return await (self._database.call(call) if conn is None else execute(conn, call))

    def _take_changes(self, marks: Marks) -> tuple[set[UUID], set[UUID], set[UUID], set[UUID]]:
        """Return the runs to mark, those for their ends, those to leave, and those to unmark."""
        with self._lock:
            changed, self._changed = self._changed, set()
            wanted = {run_id for run_id in changed if run_id in self._watches}
            ends = {
                run_id
                for run_id in wanted
                if all(watch.ends_only for watch in self._watches[run_id])
            }
        whole = wanted - ends
        fresh = whole - (marks.run_ids - marks.ends_only)
        fresh_ends = ends - marks.run_ids
        gone = (changed - wanted) & marks.run_ids
        return fresh, fresh_ends, wanted - fresh - fresh_ends, gone

    def _serve_no_more(self) -> None:
        with self._lock:
            self._prompt(list(self._watches), is_served=False)

    def _drain(self, conn: AsyncConnection[Any]) -> None:
        conn.pgconn.consume_input()
        while notify := conn.pgconn.notifies():
            self._hear(notify.relname.decode(), notify.extra.decode())

    def _on_notify(self, notify: Notify) -> None:
        self._hear(notify.channel, notify.payload)

    def _hear(self, channel: str, payload: str) -> None:
        if channel not in (CHANNEL, STREAM_CHANNEL):
            return
        # Any user of the database may notify, and say what they like.
        with suppress(ValueError):
            self._prompt([UUID(payload)], is_item=channel == STREAM_CHANNEL)

    def _prompt(
        self, run_ids: Iterable[UUID], *, is_served: bool | None = None, is_item: bool = False
    ) -> None:
        with self._lock:
            for run_id in run_ids:
                for watch in self._watches.get(run_id, ()):
                    if is_served is not None:
                        watch.is_served = is_served
                    watch.prompt(is_item=is_item)
