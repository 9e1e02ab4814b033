"""Ending in bounded time: tasks of the loop, and what a worker has to say before it goes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from pgflow_client.worker_protocol import DatabaseError, brief

logger: Final = logging.getLogger("pgflow.worker")

# How long a stopping worker tries to reach the database for its last words, in seconds: for all of
# them, for few when nothing is held or there is a hurry, and for the very last.
_LAST_WORDS: Final = 10.0
_FEW_LAST_WORDS: Final = 2.0
_LAST_WORD: Final = 1.0


class LastWords:
    """Gives a stopping worker a bounded time; others take over what could not be said."""

    def __init__(self) -> None:
        self._until: float | None = None

    def begin(self, *, is_brief: bool) -> None:
        """Set the time from now on, unless it was set before.

        Args:
            is_brief: Whether little would be lost.
        """
        if self._until is None:
            now = asyncio.get_running_loop().time()
            self._until = now + (_FEW_LAST_WORDS if is_brief else _LAST_WORDS)

    async def say(self, what: Callable[[], Awaitable[None]]) -> None:
        """Try for what is left of the time, for a moment at least."""
        self.begin(is_brief=True)
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(max(self._until or now, now + _LAST_WORD)):
                await what()
        except (TimeoutError, DatabaseError) as error:
            reason = brief(error) if str(error) else "it does not answer"
            logger.warning("the database was not told everything before the stop: %s", reason)


async def uninterrupted(coroutine: Coroutine[Any, Any, None]) -> None:
    """Await a coroutine, whatever cancels this task meanwhile."""
    task = asyncio.create_task(coroutine)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    task.result()


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended."""
    # Again and again: a wait of the driver can swallow a cancellation on Python 3.11.
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    if not task.cancelled():
        # Looked at, so that it is not reported as lost; who cares has it from the task.
        task.exception()
