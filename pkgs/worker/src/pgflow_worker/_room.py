"""Waiting for a place to run a handler in, and not for too long."""

import asyncio
from typing import Final

# The database takes a task from its worker 30 s after its timeout, counted from its claim.
LONGEST_WAIT: Final = 20.0


class NoRoom(Exception):
    """No place came free in time; the attempt has not begun."""


class TimeIsUp(Exception):
    """A call was given up because it took too long. Not a TimeoutError: handlers raise those."""


class Room:
    """Places to run handlers in.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self._places: Final = asyncio.Semaphore(count)

    async def enter(self) -> None:
        """Take a place, waiting for one if need be.

        Raises:
            NoRoom: None came free within 20 seconds.
        """
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._places.acquire()
        except TimeoutError:
            raise NoRoom from None

    def leave(self) -> None:
        """Give a place back."""
        self._places.release()
