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
        self._turn: Final = asyncio.Lock()
        self._kept: Final[OrderedDict[tuple[str, str], asyncio.Future[str]]] = OrderedDict()

    async def get(self, run_id: str, step_slug: str) -> str:
        """Return the shared input of a map step of a run, as JSON text.

        Raises:
            RunNotFound: The run was deleted meanwhile.
        """
        key = run_id, step_slug
        future = self._kept.get(key)
        if future is None:
            future = asyncio.ensure_future(self._read(run_id, step_slug))
            self._kept[key] = future
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        try:
            # A handler that is cancelled does not take the query from the others.
            return await asyncio.shield(future)
        except Exception:
            self._kept.pop(key, None)
            raise

    async def _read(self, run_id: str, step_slug: str) -> str:
        async with self._turn:
            return await self._link.call(lambda conn: get_shared_input(conn, run_id, step_slug))
