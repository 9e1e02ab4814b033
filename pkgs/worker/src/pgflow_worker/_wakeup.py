"""Hearing that there is work: notifications, while the server can send them."""

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from typing import Final

from pgflow_client.worker_protocol import DatabaseError, Link, is_transient

logger: Final = logging.getLogger("pgflow.worker")

_CHANNEL: Final = "pgflow_tasks"
_LONGEST_DELAY: Final = 5.0


async def hear_of_work(
    link: Link, flow_slugs: Collection[str], on_work: Callable[[], None]
) -> None:
    """Listen for ever, calling on_work whenever one of the flows has work.

    It is also called whenever listening begins, since nobody heard what was said before.

    Args:
        link: A connection for this alone.
        flow_slugs: The flows to hear of.
        on_work: Called on the loop.
    """
    delay = 0.1
    while True:
        try:
            async for flow_slug in link.listen(_CHANNEL):
                if flow_slug is None:
                    delay = 0.1
                if flow_slug is None or flow_slug in flow_slugs:
                    on_work()
        except DatabaseError as error:
            if not is_transient(error):
                logger.warning("notifications are not to be had, so the worker polls: %s", error)
        await link.close()
        # Polling goes on meanwhile.
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))
        delay = min(2 * delay, _LONGEST_DELAY)
