"""Looking for work when no report is there to carry a claim."""

import asyncio
import random
from typing import Final

from pgflow_client.worker_protocol import Link, wait_for_tasks

from pgflow_worker._exchange import Exchange
from pgflow_worker._slots import Slots

# The first look after finding no work comes this soon, the next after twice the time, and so on.
_FIRST_PAUSE: Final = 0.005


class Hunter:
    """Claims while there is work, and sleeps while there is none.

    Before it sleeps it leaves a mark in the database, so that whoever makes work ready notifies,
    and looks once more. A transaction that was under way when the mark was made may still commit
    without a word, so it also looks by itself: soon at first, then ever more rarely.

    Args:
        exchange: Claims.
        slots: Room for tasks.
        worker_id: The worker.
        poll_interval: Longest time without a look, in seconds.
    """

    def __init__(
        self,
        exchange: Exchange,
        slots: Slots,
        *,
        worker_id: str,
        poll_interval: float,
    ) -> None:
        self._exchange: Final = exchange
        self._slots: Final = slots
        self._worker_id: Final = worker_id
        self._poll_interval: Final = poll_interval
        self._due_at: float | None = None

    async def run(self, link: Link) -> None:
        """Look for work until claiming stops."""
        exchange = self._exchange
        pause, refreshes = _FIRST_PAUSE, False
        while exchange.is_claiming:
            exchange.call_for_work.clear()
            await exchange.release_unknown(link)
            await self._slots.wait_for_room()
            if await exchange.claim(link):
                continue
            if not exchange.is_marked:
                # Only a mark that is new may have been missed: one that was there wakes again.
                pause = pause if refreshes else _FIRST_PAUSE
                refreshes = False
                await self._mark(link)
            elif not await self._sleep(pause):
                pause = min(2 * pause, self._poll_interval)
                if pause >= self._poll_interval:
                    # A mark is lost when the server crashes, and a delayed task may be new.
                    exchange.is_marked, refreshes = False, True

    async def _mark(self, link: Link) -> None:
        # Before the call: a claim of a lane meanwhile may have the mark dropped.
        self._exchange.is_marked = True
        flow_slugs = self._slots.open_flows()
        due = await link.call(
            lambda conn: wait_for_tasks(conn, self._worker_id, flow_slugs), insists=True
        )
        # One that is due already is claimed at the next look, unless another transaction holds it.
        now = asyncio.get_running_loop().time()
        self._due_at = now + due if due is not None and due > 0 else None

    async def _sleep(self, pause: float) -> bool:
        """Sleep until work is called out or the time is over; return whether it was called out."""
        now = asyncio.get_running_loop().time()
        until = now + pause * random.uniform(0.75, 1.0)
        if self._due_at is not None and self._due_at <= until:
            # Not at once: a task that is due may be in the hands of another worker.
            until, self._due_at = max(self._due_at, now + 0.001), None
            self._exchange.is_marked = False
        try:
            async with asyncio.timeout_at(until):
                await self._exchange.call_for_work.wait()
        except TimeoutError:
            return False
        return True
