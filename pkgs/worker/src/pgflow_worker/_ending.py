"""Ending in bounded time: tasks of the loop, and what a worker has to say before it goes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from pgflow_client.worker_protocol import DatabaseError

logger: Final = logging.getLogger("pgflow.worker")

# How long a stopping worker tries to reach the database for its last words, in seconds: for all of
# them, and for the very last.
_LAST_WORDS: Final = 10.0
_LAST_WORD: Final = 1.0


class LastWords:
    """What is said to the database before the stop."""

    def __init__(self) -> None:
        self._until: float | None = None

    async def say(self, say: Callable[[], Awaitable[None]]) -> None:
        """Try for a bounded time, all in all; others take over what could not be said."""
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + _LAST_WORDS
        try:
            async with asyncio.timeout_at(max(self._until, now + _LAST_WORD)):
                await say()
        except (TimeoutError, DatabaseError) as error:
            reason = str(error) or "it does not answer"
            logger.warning("the database was not told everything before the stop: %s", reason)


async def end_task(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended."""
    # Again and again: a wait of the driver can swallow a cancellation on Python 3.11.
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    if not task.cancelled():
        # Looked at, so that it is not reported as lost; who cares has it from the task.
        task.exception()
