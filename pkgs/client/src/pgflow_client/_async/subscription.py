"""Calling a function with each event of a run, beside whoever asked for it."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from pgflow_client._async.looks import Looks, follow
from pgflow_client._follow import Follower
from pgflow_client._runtime.aio import deliver, is_current, join, spawn, stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from pgflow_client._async.hub import Hub
    from pgflow_client._async.run import AsyncRun
    from pgflow_client._async.watcher import Watch
    from pgflow_client.events import Event
    from pgflow_client.progress import RunProgress

__all__ = ["AsyncSubscription"]

logger = logging.getLogger("pgflow.client")


class AsyncSubscription:
    """Calls a function with each event of a run, until its last one or until it is closed.

    Made by `run.on_event`. As a context manager it is closed at the end of the block; closing the
    client closes it, too.

    Attributes:
        cursor: That of the last event that the function has been called with and has returned
            from, to go on from there; None before the first one, unless one was given.
    """

    def __init__(
        self,
        hub: Hub,
        run: AsyncRun[Any, Any],
        callback: Callable[[Event], object],
        after: str | None,
        saw: Callable[[RunProgress], object],
    ) -> None:
        self.cursor = after
        self._hub = hub
        self._run_id = run.run_id
        self._callback = callback
        self._watch: Watch = hub.watch(run.run_id)
        looks = Looks(hub.database, self._watch, run.flow_slug, None)
        self._events = follow(looks, Follower(run.run_id, after), saw)
        self._error: BaseException | None = None
        hub.subscriptions.add(self)
        self._worker = spawn(self._serve, f"pgflow-client-events-{run.run_id}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def wait(self) -> None:
        """Wait until the function has been called with the run's last event.

        Raises:
            Exception: What the function raised, which ended the subscription, or what
                `run.events()` would have raised.
        """
        await join(self._worker)
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """Call the function no more, and wait for it if it is being called."""
        self._watch.stop()
        self._hub.subscriptions.discard(self)
        if not is_current(self._worker):
            stop(self._worker)
            await join(self._worker)

    async def _serve(self) -> None:
        try:
            with self._watch:
                async with aclosing(self._events) as events:
                    async for event in events:
                        await deliver(self._callback, event)
                        self.cursor = event.cursor
        except Exception as error:
            self._error = error
            if not self._watch.is_stopped:
                logger.exception("events of run %s are told no more", self._run_id)
        finally:
            self._hub.subscriptions.discard(self)
