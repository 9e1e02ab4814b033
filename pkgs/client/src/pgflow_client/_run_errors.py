"""The errors that the client itself finds; `pgflow_client.errors` draws the tree of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgflow_dsl.errors import PgflowError

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

__all__ = [
    "ClientClosed",
    "CursorInvalid",
    "RunCancelled",
    "RunFailed",
    "RunNotCompleted",
    "StepNotCompleted",
    "WaitInTransaction",
    "WaitTimeout",
    "WrongFlow",
]


class RunNotCompleted(PgflowError):
    """A run ended, but did not complete.

    Attributes:
        run_id: The run.
        flow_slug: Its flow.
    """

    def __init__(self, run_id: UUID, flow_slug: str, *more: object) -> None:
        super().__init__(run_id, flow_slug, *more)
        self.run_id = run_id
        self.flow_slug = flow_slug


class RunFailed(RunNotCompleted):
    """A run failed.

    Attributes:
        run_id: The run.
        flow_slug: Its flow.
        step_slug: The step that failed it; None where no single step did.
        message: Why.
        task_index: The failed task's place among those of a map, 0 for another step; None where no
            attempt of a task failed the run, but a condition that was not met, say.
        attempt: The attempt that failed it, from 1; None likewise.
        error_type: Name of the class of the handler's exception; None likewise, and where there
            was none.
        traceback: Text of its traceback; None where there was none.
    """

    def __init__(
        self,
        run_id: UUID,
        flow_slug: str,
        step_slug: str | None,
        message: str | None,
        task_index: int | None = None,
        attempt: int | None = None,
        error_type: str | None = None,
        traceback: str | None = None,
    ) -> None:
        super().__init__(
            run_id, flow_slug, step_slug, message, task_index, attempt, error_type, traceback
        )
        self.step_slug = step_slug
        self.message: str = message or "no reason was recorded"
        self.task_index = task_index
        self.attempt = attempt
        self.error_type = error_type
        self.traceback = traceback

    def __str__(self) -> str:
        where = f" at step {self.step_slug!r}" if self.step_slug else ""
        return f"run {self.run_id} of flow {self.flow_slug!r} failed{where}: {self.message}"


class RunCancelled(RunNotCompleted):
    """A run was cancelled.

    Attributes:
        run_id: The run.
        flow_slug: Its flow.
        reason: What was given as the reason; None where none was.
    """

    def __init__(self, run_id: UUID, flow_slug: str, reason: str | None) -> None:
        super().__init__(run_id, flow_slug, reason)
        self.reason = reason

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"run {self.run_id} of flow {self.flow_slug!r} was cancelled{reason}"


class WaitTimeout(PgflowError, TimeoutError):
    """A run has not ended in the time given. The run goes on.

    Attributes:
        run_id: The run.
        flow_slug: Its flow.
        timeout: The time given.
    """

    def __init__(self, run_id: UUID, flow_slug: str, timeout: timedelta) -> None:
        super().__init__(run_id, flow_slug, timeout)
        self.run_id = run_id
        self.flow_slug = flow_slug
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"run {self.run_id} of flow {self.flow_slug!r} has not ended within {self.timeout}; "
            "it goes on"
        )


class StepNotCompleted(PgflowError):
    """The output of a step was asked for, and there is none, or none yet.

    Attributes:
        run_id: The run.
        step_slug: The step.
        status: Its status.
        reason: Why it failed or was skipped; None where it was neither.
    """

    def __init__(self, run_id: UUID, step_slug: str, status: str, reason: str | None) -> None:
        super().__init__(run_id, step_slug, status, reason)
        self.run_id = run_id
        self.step_slug = step_slug
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        waiting = self.status in ("created", "started")
        what = "is not completed yet" if waiting else f"has no output: it was {self.status}"
        if self.status == "failed":
            what = "has no output: it failed"
        reason = f" ({self.reason})" if self.reason else ""
        advice = "; wait for the run first" if waiting else ""
        return f"step {self.step_slug!r} of run {self.run_id} {what}{reason}{advice}"


class CursorInvalid(PgflowError, ValueError):
    """A text was given that is not the cursor of one of the run's events.

    Attributes:
        run_id: The run.
        cursor: The text, shortened.
    """

    def __init__(self, run_id: UUID, cursor: str) -> None:
        super().__init__(run_id, cursor)
        self.run_id = run_id
        self.cursor: str = cursor[:100]

    def __str__(self) -> str:
        return (
            f"{self.cursor!r} is no cursor of run {self.run_id}: take one from an event of this "
            "run, or none to begin with the first event"
        )


class WrongFlow(PgflowError):
    """A step or a flow was given that is not the run's.

    Attributes:
        run_id: The run.
        flow_slug: The run's flow.
        given: What was given instead, in words.
    """

    def __init__(self, run_id: UUID, flow_slug: str, given: str) -> None:
        super().__init__(run_id, flow_slug, given)
        self.run_id = run_id
        self.flow_slug = flow_slug
        self.given = given

    def __str__(self) -> str:
        return f"run {self.run_id} is one of flow {self.flow_slug!r}, but {self.given} was given"


class WaitInTransaction(PgflowError):
    """A wait on the caller's connection, whose open transaction holds the run back.

    Attributes:
        run_id: The run.
    """

    def __init__(self, run_id: UUID) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return (
            f"cannot wait for run {self.run_id} inside of an open transaction: no worker sees a "
            "run before it is committed; commit, then wait"
        )


class ClientClosed(PgflowError):
    """The client was used after it was closed."""

    def __str__(self) -> str:
        return "the client is closed: make a new one, or keep it open for longer"
