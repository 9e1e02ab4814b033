"""Tells those who wait for runs when to look: one connection for all of a client's waits."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from pgflow_client._async.database import execute
from pgflow_client._functions.runs import CHANNEL, unwatch_runs, watch_runs
from pgflow_client._pace import Backoff, Pace
from pgflow_client._runtime.aio import Bell, Flag, Worker, join, sleep, spawn
from pgflow_client.errors import ClientClosed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from psycopg import AsyncConnection, Notify

    from pgflow_client._async.database import Database

__all__ = ["Watch", "Watcher"]

logger = logging.getLogger("pgflow.client")

# Seconds. A client that dies leaves marks behind, which make for a few notifications too many.
_LIFETIME: Final = 60
_RENEWAL: Final = 20.0
# How long the connection is kept when nobody waits any more, for the next one who does.
_LINGER: Final = 60.0
_LONGEST_PAUSE: Final = 15.0


class Watch:
    """One caller's interest in one run: says when to look again.

    Attributes:
        run_id: The run.
    """

    def __init__(self, run_id: UUID, watcher: Watcher | None) -> None:
        self.run_id = run_id
        self._watcher = watcher
        self._flag = Flag()
        self._pace = Pace()
        self._is_new = False

    def prompt(self, *, is_new: bool = False) -> None:
        """End the wait for the next look.

        Args:
            is_new: Whether changes are notified only from now on, so that it takes a few looks
                to be sure that none is missed.
        """
        if is_new:
            self._is_new = True
        self._flag.set()

    async def until_next_look(self, longest: float) -> None:
        """Wait until the run may have changed, or it is time to look anyway.

        Args:
            longest: At most so many seconds.
        """
        was_prompted = await self._flag.take(min(self._pace.next_delay(), longest))
        if self._is_new:
            self._is_new = False
            self._pace.restart()
        elif was_prompted:
            gap = self._pace.take_gap()
            if gap > 0:
                await sleep(min(gap, longest))

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
        self._bell: Bell | None = None
        self._worker: Worker | None = None
        self._is_deaf = False
        self._is_closed = False

    def add(self, watch: Watch) -> None:
        """Have a watch prompted."""
        with self._lock:
            if self._is_closed:
                raise ClientClosed
            if self._is_deaf:
                return
            if watch.run_id not in self._watches:
                self._watches[watch.run_id] = set()
                self._changed.add(watch.run_id)
            self._watches[watch.run_id].add(watch)
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
            is_over = self._is_closed or self._is_deaf or not self._watches
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
            logger.info("runs are polled, not listened to: there is a pooler before the database")
            self._is_deaf = True
            return
        try:
            conn.add_notify_handler(self._on_notify)
            with self._lock:
                self._changed.update(self._watches)
            await self._tend(conn)
        finally:
            await conn.close()

    async def _tend(self, conn: AsyncConnection[Any]) -> None:
        """Mark and unmark runs and pass notifications on, until nobody is left to do it for."""
        marked: set[UUID] = set()
        marked_at = time.monotonic()
        while True:
            fresh, gone = self._take_changes(marked)
            if gone:
                await execute(conn, unwatch_runs(self._id, gone))
                marked -= gone
            if fresh:
                await execute(conn, watch_runs(self._id, fresh, _LIFETIME))
                marked |= fresh
                self._prompt(fresh, is_new=True)
            if time.monotonic() - marked_at > _RENEWAL:
                marked_at = time.monotonic()
                if marked:
                    await execute(conn, watch_runs(self._id, marked, _LIFETIME))
            self._drain(conn)
            bell = self._bell
            if self._is_closed or bell is None:
                if marked:
                    await execute(conn, unwatch_runs(self._id, marked))
                return
            was_rung = await bell.wait(conn.fileno(), _RENEWAL if marked else _LINGER)
            if not was_rung and not self._watches:
                return

    def _take_changes(self, marked: set[UUID]) -> tuple[set[UUID], set[UUID]]:
        """Return the runs that have to be marked and those whose mark has to go."""
        with self._lock:
            changed, self._changed = self._changed, set()
            fresh = {run_id for run_id in changed if run_id in self._watches} - marked
            gone = {run_id for run_id in changed if run_id not in self._watches} & marked
        return fresh, gone

    def _drain(self, conn: AsyncConnection[Any]) -> None:
        conn.pgconn.consume_input()
        while notify := conn.pgconn.notifies():
            if notify.relname == CHANNEL.encode():
                self._prompt([UUID(notify.extra.decode())])

    def _on_notify(self, notify: Notify) -> None:
        if notify.channel == CHANNEL:
            self._prompt([UUID(notify.payload)])

    def _prompt(self, run_ids: Iterable[UUID], *, is_new: bool = False) -> None:
        with self._lock:
            for run_id in run_ids:
                for watch in self._watches.get(run_id, ()):
                    watch.prompt(is_new=is_new)
