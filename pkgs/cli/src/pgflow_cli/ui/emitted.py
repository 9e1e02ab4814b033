"""What a step emits, as its viewers follow it: the latest items, in blocks that are sent once."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from pgflow_client import PgflowError

from pgflow_cli.ui.encoding import to_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from uuid import UUID

    from pgflow_client import AsyncClient
    from pgflow_client.streams import StreamItem

__all__ = ["follow_items"]

# Items of a block, and blocks that are kept: what is older is counted, and read with the client.
_BLOCK: Final = 100
_BLOCKS: Final = 10
# Seconds between two states, so that many small items do not become many small messages.
_GAP: Final = 0.2
# Characters of an item's JSON text that a page shows.
_LONGEST: Final = 10_000
# Seconds after the end of a stream until it is looked whether the step goes on after a retry.
_AFTER_END: Final = 3.0


async def follow_items(
    client: AsyncClient, run_id: UUID, step_slug: str
) -> AsyncIterator[Mapping[str, object]]:
    """Follow what a step emits, from the beginning; a source for the hub.

    Each block of items is a section by itself, `block 0` and so on, so that only the last ones
    change. `blocks` says which there are, and `before` how many items are not shown.
    """
    while True:
        run = await client.get_run(run_id)
        collected = _Collected()
        reading = asyncio.create_task(collected.read(run.stream(step_slug)))
        try:
            while not reading.done():
                yield collected.sections()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_AFTER_END):
                        await collected.news.wait()
                collected.news.clear()
                await asyncio.sleep(_GAP)
            # Raises what ended it, if that was an error.
            await reading
            yield collected.sections()
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, PgflowError, psycopg.Error):
                await reading
        await asyncio.sleep(_AFTER_END)


class _Collected:
    """The latest items of a stream."""

    def __init__(self) -> None:
        self.news: Final = asyncio.Event()
        self._blocks: Final[deque[list[dict[str, Any]]]] = deque(maxlen=_BLOCKS)
        self._dropped = 0
        self._is_ended = False

    async def read(self, items: AsyncIterator[StreamItem[Any]]) -> None:
        try:
            async for item in items:
                self._add(item)
                self.news.set()
            self._is_ended = True
        finally:
            self.news.set()

    def sections(self) -> Mapping[str, object]:
        blocks = {
            f"block {self._dropped + place}": list(block)
            for place, block in enumerate(self._blocks)
        }
        return {
            "blocks": list(blocks),
            "before": self._dropped * _BLOCK,
            "isEnded": self._is_ended,
            **blocks,
        }

    def _add(self, item: StreamItem[Any]) -> None:
        if not self._blocks or len(self._blocks[-1]) == _BLOCK:
            if len(self._blocks) == _BLOCKS:
                self._dropped += 1
            self._blocks.append([])
        text = to_json(item.value)
        self._blocks[-1].append(
            {
                "index": item.task_index,
                "at": item.at,
                "isRestart": item.is_restart,
                "attempt": item.attempt,
                "value": item.value if len(text) <= _LONGEST else None,
                "cut": None if len(text) <= _LONGEST else text[:_LONGEST],
            }
        )
