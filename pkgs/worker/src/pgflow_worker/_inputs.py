"""What tasks of a run share, read once: the flow's input, and what elements of a map receive."""

import asyncio
from collections import OrderedDict
from typing import Final, TypeAlias

from pgflow_client.worker_protocol import Link, get_flow_input, get_shared_input

_KEPT: Final = 256

# A run and its map step; None for the flow's input.
_Key: TypeAlias = tuple[str, str | None]


class Inputs:
    """Reads inputs and keeps the latest; concurrent readers of one share its query.

    Args:
        link: The connection to read with, which nobody else uses.
    """

    def __init__(self, link: Link) -> None:
        self._link: Final = link
        self._kept: Final[OrderedDict[_Key, str]] = OrderedDict()
        self._reading: Final[dict[_Key, asyncio.Task[str]]] = {}

    async def shared(self, run_id: str, step_slug: str) -> str:
        """Return what all elements of a map step of a run receive, as JSON text.

        Raises:
            DatabaseError: The run was deleted meanwhile.
        """
        return await self._get((run_id, step_slug))

    async def of_flow(self, run_id: str) -> str:
        """Return what a run was started with, as JSON text.

        Raises:
            DatabaseError: The run was deleted meanwhile.
        """
        return await self._get((run_id, None))

    async def close(self) -> None:
        """End what is being read, and close the connection."""
        reading = set(self._reading.values())
        while reading:
            for task in reading:
                task.cancel()
            _, reading = await asyncio.wait(reading, timeout=1)
        await self._link.close()

    async def _get(self, key: _Key) -> str:
        text = self._kept.get(key)
        if text is not None:
            self._kept.move_to_end(key)
            return text
        if key not in self._reading:
            task = self._reading[key] = asyncio.create_task(self._read(key))
            # Who asked may be gone when it fails.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        # A handler that is cancelled does not take the query from the others.
        return await asyncio.shield(self._reading[key])

    async def _read(self, key: _Key) -> str:
        run_id, step_slug = key
        try:
            if step_slug is None:
                text = await self._link.call(lambda conn: get_flow_input(conn, run_id))
            else:
                text = await self._link.call(lambda conn: get_shared_input(conn, run_id, step_slug))
        finally:
            del self._reading[key]
        self._kept[key] = text
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return text
