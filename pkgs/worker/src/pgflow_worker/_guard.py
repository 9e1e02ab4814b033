"""Noticing that somebody cancels all tasks of the event loop, those of the worker among them."""

import asyncio

from pgflow_worker._attempt import Attempt, current_attempt
from pgflow_worker.errors import LoopCancelled


class Guard:
    """Keeps a task on the loop that nobody has a reason to cancel.

    Whoever cancels all tasks cancels it too, and before any of them has been told: when the first
    one is, it is known that this is the end, and whose doing it is.
    """

    def __init__(self) -> None:
        self._task: _Bait | None = None

    @property
    def is_hit(self) -> bool:
        """Whether all tasks were cancelled."""
        return self._task is not None and self._task.is_hit

    @property
    def culprit(self) -> Attempt | None:
        """The attempt whose handler has done it; None where it was none of them."""
        return self._task.culprit if self._task is not None else None

    def stand(self) -> None:
        """Begin, on the loop that this is called on."""
        loop = asyncio.get_running_loop()
        self._task = _Bait(asyncio.Event().wait(), loop=loop, name="pgflow guard")

    async def leave(self) -> None:
        """End."""
        assert self._task is not None
        self._task.end()
        await asyncio.wait({self._task})

    def explain(self) -> None:
        """Say what has ended the worker.

        Raises:
            LoopCancelled: A handler has cancelled all tasks.
        """
        if self.culprit is not None:
            raise cancelled_by(self.culprit) from None


def cancelled_by(attempt: Attempt) -> LoopCancelled:
    """Return the error of an attempt whose handler has cancelled all tasks."""
    step = attempt.handler.step
    return LoopCancelled(flow_slug=step.flow.slug, step_slug=step.slug, run_id=attempt.row.run_id)


class _Bait(asyncio.Task[bool]):
    """A task that remembers who has cancelled it.

    Attributes:
        is_hit: Whether somebody has.
        culprit: The attempt whose handler has.
    """

    is_hit: bool = False
    culprit: Attempt | None = None

    def cancel(self, msg: object = None) -> bool:
        """Take note, and be cancelled."""
        if not self.is_hit:
            self.is_hit, self.culprit = True, current_attempt.get()
        return super().cancel(msg)

    def end(self) -> None:
        """Be cancelled without taking note."""
        super().cancel()
