"""Ending a worker by itself: when its time is over, or there has been nothing to do for long."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from pgflow_client.worker_protocol import Link

from pgflow_worker._exchange import Exchange
from pgflow_worker.options import WorkerOptions

logger: Final = logging.getLogger("pgflow.worker")

# How often it is looked at while a worker idles, as a share of the time that it may.
_LOOK_SHARE: Final = 0.1


class Retirement:
    """Drains a worker that is to end by itself.

    Args:
        options: When it is to.
        exchange: Knows what the worker does.
        drain: Drains the worker.
    """

    def __init__(
        self, options: WorkerOptions, exchange: Exchange, drain: Callable[[], None]
    ) -> None:
        self._run_for: Final = options.run_for
        self._idle_timeout: Final = options.idle_timeout
        self._exchange: Final = exchange
        self._drain: Final = drain

    async def run(self, link: Link) -> None:
        """Drain the worker when it is time, and wait for its end."""
        waits = set[asyncio.Task[str]]()
        if self._run_for is not None:
            waits.add(asyncio.create_task(self._time_is_over(self._run_for.total_seconds())))
        if self._idle_timeout is not None:
            waits.add(asyncio.create_task(self._is_idle(self._idle_timeout.total_seconds())))
        try:
            if waits:
                done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                logger.info("draining, since %s", done.pop().result())
                self._drain()
            await asyncio.get_running_loop().create_future()
        finally:
            for wait in waits:
                wait.cancel()

    async def _time_is_over(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return f"its time of {seconds:g} s is over"

    async def _is_idle(self, seconds: float) -> str:
        """Return when the worker has had nothing to do for so long, and has looked for it."""
        loop = asyncio.get_running_loop()
        since, looks, claimed = loop.time(), self._exchange.looks, self._exchange.claimed
        while True:
            await asyncio.sleep(seconds * _LOOK_SHARE)
            if self._exchange.held_count or claimed != self._exchange.claimed:
                since, looks, claimed = loop.time(), self._exchange.looks, self._exchange.claimed
            # Without an answer of the database nobody knows whether there is work.
            elif loop.time() - since >= seconds and looks != self._exchange.looks:
                return f"there was nothing to do for {seconds:g} s"
