"""What all elements of a map receive, read once for each run and step."""

import asyncio
from collections import OrderedDict
from typing import Final

from pgflow_client.worker_protocol import Link, get_shared_input

_KEPT: Final = 256


class SharedInputs:
    """Reads shared inputs and keeps the latest; concurrent readers of one share its query.

    Args:
        link: The connection to read with, which nobody else uses.
    """

    def __init__(self, link: Link) -> None:
        self._link: Final = link
        self._kept: Final[OrderedDict[tuple[str, str], str]] = OrderedDict()
        self._reading: Final[dict[tuple[str, str], asyncio.Task[str]]] = {}

    async def get(self, run_id: str, step_slug: str) -> str:
        """Return the shared input of a map step of a run, as JSON text.

        Raises:
            DatabaseError: The run was deleted meanwhile.
        """
        key = run_id, step_slug
        text = self._kept.get(key)
        if text is not None:
            self._kept.move_to_end(key)
            return text
        if key not in self._reading:
            task = self._reading[key] = asyncio.create_task(self._read(*key))
            # Who asked may be gone when it fails.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        # A handler that is cancelled does not take the query from the others.
        return await asyncio.shield(self._reading[key])

    async def close(self) -> None:
        """End what is being read, and close the connection."""
        reading = set(self._reading.values())
        while reading:
            for task in reading:
                task.cancel()
            _, reading = await asyncio.wait(reading, timeout=1)
        await self._link.close()

    async def _read(self, run_id: str, step_slug: str) -> str:
        key = run_id, step_slug
        try:
            text = await self._link.call(lambda conn: get_shared_input(conn, run_id, step_slug))
        finally:
            del self._reading[key]
        self._kept[key] = text
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return text
