"""What handlers emit, on its way to the database.

Items collect while the last batch is on its way: one alone leaves at once, and under load batches
grow by themselves. Handlers emit on the loop and in threads; what both touch is under one lock.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pgflow_client.worker_protocol import DatabaseError, Link, TaskRow, append_to_streams
from pgflow_dsl import AttemptCancelled, Cancellation, FinalError, StreamFull

logger: Final = logging.getLogger("pgflow.worker")

# Characters of JSON that are held before handlers have to wait. All of it leaves in one call, which
# the next ones wait for.
_ENOUGH: Final = 4 * 2**20
# The same of one that does not wait, before it is refused.
_MOST: Final = 16 * 2**20
# What an item costs beside its text.
_OVERHEAD: Final = 200
# How often somebody who waits outside of the loop asks whether the attempt still counts: seconds.
_LOOK: Final = 0.5
_LOOK_FOR_ROOM: Final = 0.02
# Classes of errors that lie in the call and not in an item: no such function, no right to call it.
_ERRORS_OF_THE_CALL: Final = frozenset({"0A", "28", "3D", "3F", "42"})


class AttemptStream:
    """What one attempt emits. Made on the worker's loop; any thread may put items in.

    Args:
        streams: Where it goes.
        row: The claim.
        cancellation: Of the attempt.
    """

    __slots__ = (
        *("_cancellation", "_is_over", "_streams"),
        *("first_number", "items", "loop", "problem", "row", "size"),
    )

    def __init__(self, streams: "Streams", row: TaskRow, cancellation: Cancellation) -> None:
        self._streams: Final = streams
        self._cancellation: Final = cancellation
        self._is_over = False
        self.loop: Final = asyncio.get_running_loop()
        self.row: Final = row
        self.items: list[str] = []
        self.size = 0
        self.first_number = 1
        self.problem: Exception | None = None

    def put(self, text: str) -> bool:
        """Take an item; return whether there is room for another.

        Raises:
            AttemptCancelled: The attempt counts no longer.
            StreamFull: Far more of it is held than there is room for.
            FinalError: An earlier item could not be stored.
        """
        if self._is_over:
            raise AttemptCancelled("the handler has returned")
        self._check()
        return self._streams.put(self, text)

    def wait_for_room(self) -> None:
        """Block the thread until there is room for an item.

        Raises:
            AttemptCancelled: The attempt counts no longer.
            FinalError: An earlier item could not be stored.
        """
        while not self._streams.wait_for_room(_LOOK):
            self._check()

    async def room(self) -> None:
        """Return when there is room for an item.

        Raises:
            AttemptCancelled: The attempt counts no longer.
            FinalError: An earlier item could not be stored.
        """
        is_on_loop = asyncio.get_running_loop() is self.loop
        while self._streams.is_full:
            self._check()
            if is_on_loop:
                await self._streams.until_moved()
            else:
                # A loop that a sync handler runs in its thread, and that nothing here may touch.
                await asyncio.sleep(_LOOK_FOR_ROOM)

    async def finish(self) -> None:
        """Take nothing more, and return when all of it is stored.

        Raises:
            FinalError: An item could not be stored.
        """
        self._is_over = True
        await self._streams.flush(self)
        self._raise_problem()

    def close(self) -> None:
        """Take nothing more: a thread of the handler may go on."""
        self._is_over = True

    def _check(self) -> None:
        self._raise_problem()
        if reason := self._cancellation.reason:
            raise AttemptCancelled(reason)

    def _raise_problem(self) -> None:
        if self.problem is not None:
            raise FinalError(f"what the handler emitted cannot be stored: {self.problem}")


class Room:
    """Awaiting it waits until there is room in a stream; not awaiting it is no mistake."""

    __slots__ = ("_stream",)

    def __init__(self, stream: AttemptStream) -> None:
        self._stream: Final = stream

    def __await__(self) -> Generator[object, None, None]:
        return self._stream.room().__await__()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Items of one stream that leave together."""

    stream: AttemptStream
    first_number: int
    items: list[str]
    size: int


class Streams:
    """Stores what attempts emit, in batches.

    Args:
        on_lost: Called on the loop with attempts that count no longer.
    """

    def __init__(self, on_lost: Callable[[list[TaskRow]], None]) -> None:
        self._on_lost: Final = on_lost
        self._lock: Final = threading.Lock()
        self._has_room: Final = threading.Condition(self._lock)
        self._filled: dict[AttemptStream, None] = {}
        self._size = 0
        self._is_told = False
        self._is_closed = False
        self._leaving: frozenset[AttemptStream] = frozenset()
        self._wanted: Final = asyncio.Event()
        self._moved = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether handlers have to wait before they emit more."""
        return self._size > _ENOUGH

    async def run(self, link: Link) -> None:
        """Store items for ever."""
        try:
            while True:
                await self._wanted.wait()
                parts = self._take()
                if parts:
                    await self._store(link, parts)
                    self._settle(parts)
        finally:
            self._close()

    def put(self, stream: AttemptStream, text: str) -> bool:
        """Take an item, from any thread; return whether there is room for another."""
        with self._lock:
            if self._is_closed:
                raise AttemptCancelled("the worker has stopped")
            if stream.size > _MOST:
                raise StreamFull(stream.size)
            stream.items.append(text)
            stream.size += len(text) + _OVERHEAD
            self._size += len(text) + _OVERHEAD
            self._filled[stream] = None
            is_told, self._is_told = self._is_told, True
        if not is_told:
            # The loop may be closed: then nobody waits for this any more.
            with suppress(RuntimeError):
                stream.loop.call_soon_threadsafe(self._wanted.set)
        return not self.is_full

    def wait_for_room(self, seconds: float) -> bool:
        """Block the thread until there is room, or for so long; return whether there is."""
        with self._has_room:
            if self.is_full and not self._is_closed:
                self._has_room.wait(seconds)
            if self._is_closed:
                raise AttemptCancelled("the worker has stopped")
            return not self.is_full

    async def until_moved(self) -> None:
        """Return when a batch has been stored."""
        await self._moved.wait()

    async def flush(self, stream: AttemptStream) -> None:
        """Return when all of a stream is stored; never, where the database cannot take it."""
        while stream.items or stream in self._leaving:
            await self._moved.wait()

    async def flush_all(self) -> None:
        """Return when everything is stored that can be."""
        while (self._filled or self._leaving) and not self._is_closed:
            await self._moved.wait()

    def _take(self) -> list[_Part]:
        self._wanted.clear()
        parts: list[_Part] = []
        with self._lock:
            self._is_told = False
            for stream in self._filled:
                items, stream.items = stream.items, []
                number = stream.first_number
                stream.first_number += len(items)
                size = sum(map(len, items)) + _OVERHEAD * len(items)
                parts.append(_Part(stream=stream, first_number=number, items=items, size=size))
            self._filled = {}
            self._leaving = frozenset(part.stream for part in parts)
        return parts

    async def _store(self, link: Link, parts: list[_Part]) -> None:
        rows = [part.stream.row for part in parts]
        numbers = [part.first_number for part in parts]
        arrays = [f"[{','.join(part.items)}]" for part in parts]
        try:
            lost = await link.call(lambda conn: append_to_streams(conn, rows, numbers, arrays))
        except (DatabaseError, ValueError) as error:
            sqlstate = error.sqlstate if isinstance(error, DatabaseError) else None
            if sqlstate and sqlstate[:2] in _ERRORS_OF_THE_CALL:
                raise
            if len(parts) > 1:
                # One after the other, so that one item does not stop the others.
                for part in parts:
                    await self._store(link, [part])
                return
            _tell(rows[0], error)
            parts[0].stream.problem = error
        else:
            if lost:
                self._on_lost(lost)

    def _settle(self, parts: list[_Part]) -> None:
        with self._has_room:
            self._leaving = frozenset()
            for part in parts:
                part.stream.size -= part.size
                self._size -= part.size
            self._has_room.notify_all()
        self._wake()

    def _close(self) -> None:
        with self._has_room:
            self._is_closed = True
            self._has_room.notify_all()
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


def _tell(row: TaskRow, error: Exception) -> None:
    logger.error(
        "the database refuses what step %s emits in run %s, task %d: %s",
        row.step_slug,
        row.run_id,
        row.task_index,
        error,
    )
