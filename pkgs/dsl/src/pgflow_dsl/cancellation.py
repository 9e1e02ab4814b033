"""The event that tells a handler that nobody waits for its result any more."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Cancellation"]


class Cancellation:
    """An event that is set, once, when an attempt counts no longer.

    That is when its time is up, its task was taken from the worker, its run has ended, or the
    worker stops. Any thread may set it and look at it. Threads `wait()`; coroutines `await` it.

    Attributes:
        reason: Why it is set, None while it is not.
    """

    __slots__ = ("_deadline", "_lock", "_reason", "_wakers")

    def __init__(self, deadline: datetime | None = None) -> None:
        """Make an event that is not set.

        Args:
            deadline: When it counts as set by itself; None is never.
        """
        self._deadline = deadline
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._wakers: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<cancellation: {self.reason or 'not set'}>"

    def __reduce__(self) -> tuple[type[Cancellation], tuple[datetime | None]]:
        # Of what happens here another process only knows the time.
        return Cancellation, (self._deadline,)

    @property
    def reason(self) -> str | None:
        """Why it is set, None while it is not."""
        if self._reason is None and self._seconds_left() == 0:
            return "the attempt is out of time"
        return self._reason

    def is_set(self) -> bool:
        """Tell whether the attempt counts no longer."""
        return self.reason is not None

    def set(self, reason: str) -> None:
        """Say that the attempt counts no longer; the first reason stays."""
        with self._lock:
            if self._reason is None:
                self._reason = reason
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def expire_at(self, deadline: datetime) -> None:
        """Have it count as set from a time on."""
        self._deadline = deadline

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Block the thread until it is set, and return whether it is. Not for coroutines.

        Args:
            timeout: Longest wait; None waits as long as it takes.
        """
        event = threading.Event()
        if self._enlist(event.set):
            seconds = [] if timeout is None else [timeout.total_seconds()]
            left = self._seconds_left()
            event.wait(min([*seconds, *([] if left is None else [left])], default=None))
            self._dismiss(event.set)
        return self.is_set()

    def __await__(self) -> Generator[object, None, None]:
        """Wait until it is set, in a coroutine."""
        return self._wait().__await__()

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        event = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(event.set)

        if not self._enlist(wake):
            return
        try:
            async with asyncio.timeout(self._seconds_left()):
                await event.wait()
        except TimeoutError:
            return
        finally:
            self._dismiss(wake)

    def _enlist(self, wake: Callable[[], None]) -> bool:
        """Have something called when it is set; return False where it is set already."""
        with self._lock:
            if self._reason is None:
                self._wakers.append(wake)
            return self._reason is None

    def _dismiss(self, wake: Callable[[], None]) -> None:
        with self._lock:
            if wake in self._wakers:
                self._wakers.remove(wake)

    def _seconds_left(self) -> float | None:
        if self._deadline is None:
            return None
        left: timedelta = self._deadline - datetime.now(UTC)
        return max(left.total_seconds(), 0)
