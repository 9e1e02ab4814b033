"""The client's view of one step of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pgflow_client._async.looks import Looks, look_at, outlast, raise_end
from pgflow_client._position import rank_of
from pgflow_client.errors import DatabaseUnreachable, StepNotFound

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from pgflow_dsl import Step

    from pgflow_client._async.hub import Hub
    from pgflow_client._async.run import AsyncRun
    from pgflow_client.progress import RunProgress, StepProgress, StepStatus

__all__ = ["AsyncRunStep"]

T = TypeVar("T")


class AsyncRunStep(Generic[T]):
    """One step of one run. Made by `run.step`, and good for as long as the client is open.

    Attributes:
        run: The run.
        slug: The step.
    """

    def __init__(
        self,
        hub: Hub,
        run: AsyncRun[Any, Any],
        step: Step[..., Any, T] | str,
        saw: Callable[[RunProgress], object],
    ) -> None:
        self.run = run
        self.slug: str = step if isinstance(step, str) else step.slug
        self._hub = hub
        self._step = step
        self._saw = saw
        self._status: StepStatus = "created"
        # Which life of the run it is of, and how far the step had come.
        self._place = (0, 0)

    def __repr__(self) -> str:
        return f"<{self._status} step {self.slug!r} of run {self.run.run_id}>"

    @property
    def status(self) -> StepStatus:
        """The latest status that this handle has seen; "created" before the first look."""
        return self._status

    async def progress(self) -> StepProgress:
        """Return where the step stands now.

        Raises:
            StepNotFound: The flow, as the database knows it, has no such step.
            RunNotFound: The run has been deleted, or its start was never committed.
        """
        progress = await look_at(self._hub.database, self.run.run_id)
        self._saw(progress)
        return self._find(progress)

    async def wait(
        self,
        timeout: timedelta | None = None,  # noqa: ASYNC109 (WaitTimeout says which run)
    ) -> StepProgress:
        """Wait until the step is completed or skipped, whatever becomes of its run after that.

        Args:
            timeout: The longest wait; None waits for as long as it takes.

        Returns:
            Where the step stands at its end.

        Raises:
            RunFailed: The run failed before the step was done, at this step or another.
            RunCancelled: The run was cancelled before the step was done.
            WaitTimeout: The step has not ended in time. The run goes on.
            WaitInTransaction: The client is on the caller's connection, whose transaction is open.
            StepNotFound: The flow, as the database knows it, has no such step.
            RunNotFound: The run has been deleted, or its start was never committed.
        """
        database = self._hub.database
        with self._hub.watch(self.run.run_id) as watch:
            looks = Looks(database, watch, self.run.flow_slug, timeout)
            progress = await looks.take_until(self._is_over, self._saw)
        step = self._find(progress)
        if step.status in ("failed", "cancelled"):
            await raise_end(database, progress)
        return step

    async def output(
        self,
        timeout: timedelta | None = None,  # noqa: ASYNC109 (as for wait)
    ) -> T:
        """Wait until the step is completed, and return its output.

        Args:
            timeout: The longest wait; None waits for as long as it takes.

        Returns:
            As `run.output_of`.

        Raises:
            PgflowError: As `wait` and `run.output_of`.
        """
        await self.wait(timeout)
        while True:
            try:
                output: T = await self.run.output_of(self._step)
            except DatabaseUnreachable:
                await outlast(self._hub, self.run.run_id, self.run.flow_slug, timeout)
            else:
                return output

    def _is_over(self, progress: RunProgress) -> bool:
        return self._find(progress).is_ended

    def _find(self, progress: RunProgress) -> StepProgress:
        for step in progress.steps:
            if step.step_slug == self.slug:
                place = (progress.reopened_count, rank_of(step.status))
                # What was asked for earlier may come back later.
                if place >= self._place:
                    self._status, self._place = step.status, place
                return step
        run_id, flow_slug = progress.run_id, progress.flow_slug
        message = f"run {run_id} of flow {flow_slug!r} has no step {self.slug!r}"
        detail = f"run_id={run_id} step_slug={self.slug}"
        raise StepNotFound(message, "its flow may have changed since it was started", detail)
