"""Room for tasks: how many more the worker can take."""

import asyncio
from typing import Final


class Slots:
    """Counts free slots. A slot is taken from the claim of a task until its result is reported.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._room: Final = asyncio.Event()
        self._room.set()

    @property
    def free(self) -> int:
        """How many are free; below 0 where more were taken back than there were."""
        return self._free

    def reserve(self) -> int:
        """Take all free slots and return how many they were."""
        taken = max(self._free, 0)
        self._free -= taken
        self._room.clear()
        return taken

    def give_back(self, count: int) -> None:
        """Free slots."""
        self._free += count
        if self._free > 0:
            self._room.set()

    async def wait_for_room(self) -> None:
        """Return as soon as a slot is free."""
        # A lane may take what woke this up before it runs.
        while self._free <= 0:
            await self._room.wait()

    def take_back(self, count: int) -> None:
        """Take slots that were freed too soon; the count of free ones may fall below none."""
        self._free -= count
        if self._free <= 0:
            self._room.clear()
