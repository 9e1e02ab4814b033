"""What can happen to a run, as values.

Every event has a `cursor`: a text that is good in any process and for as long as the run is kept.
`run.events(after=cursor)` goes on with what comes right after the event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

__all__ = [
    "AttemptsFailed",
    "Event",
    "MapProgressed",
    "RunEnded",
    "RunReopened",
    "RunStarted",
    "StepCancelled",
    "StepCompleted",
    "StepFailed",
    "StepSkipped",
    "StepStarted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run was started: the first event of every run.

    Attributes:
        run_id: The run.
        cursor: Where to go on after the event.
        at: When, by the database's clock.
        flow_slug: Its flow.
    """

    run_id: UUID
    cursor: str = field(repr=False)
    at: datetime
    flow_slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step's dependencies are done, and its tasks are there for workers to claim.

    Attributes:
        run_id: The run.
        cursor: Where to go on after the event.
        at: When, by the database's clock.
        step_slug: The step.
        tasks: Number of its tasks.
    """

    run_id: UUID
    cursor: str = field(repr=False)
    at: datetime
    step_slug: str
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptsFailed:
    """Attempts of a step's tasks failed. What is not exhausted is tried again.

    Attributes:
        run_id: The run.
        cursor: Where to go on after the event.
        at: When the latest of them failed, by the database's clock.
        step_slug: The step.
        failed_attempts: How many failed so far, of all tasks of the step.
    """

    run_id: UUID
    cursor: str = field(repr=False)
    at: datetime
    step_slug: str
    failed_attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MapProgressed:
    """Tasks of a map step completed. Several that complete in short order are one event.

    Attributes:
        run_id: The run.
        cursor: Where to go on after the event.
        at: When they were counted, by the database's clock.
        step_slug: The step.
        done: How many tasks are completed so far.
        total: How many there are.
    """

    run_id: UUID
    cursor: str = field(repr=False)
    at: datetime
    step_slug: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCompleted:
    """A step completed.

    Attributes:
        run_id: The run.
        cursor: Where to go on after the event.
        at: When, by the database's clock.
        step_slug: The step.
    """

    run_id: UUID
    cursor: str = field(repr=False)
    at: datetime
    step_slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed:
    """A step failed, and its run with it.

    Attributes:
        run_id: The run.
        cursor: Where to go on after the event.
        at: When, by the database's clock.
        step_slug: The step.
        error_message: Why.
    """

    run_id: UUID
    cursor: str = field(repr=False)
    at: datetime
    step_slug: str
    error_message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSkipped:
    """A step was skipped.

    Attributes:
        run_id: The run.
        cursor: Where to go on after the event.
        at: When, by the database's clock.
        step_slug: The step.
        reason: "condition_unmet", "handler_failed" or "dependency_skipped".
        error_message: The failure after which it was skipped; None where there was none.
    """

    run_id: UUID
    cursor: str = field(repr=False)
    at: datetime
    step_slug: str
    reason: str | None
    error_message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCancelled:
    """A step was cancelled, because its run failed or was cancelled.

    Attributes:
        run_id: The run.
        cursor: Where to go on after the event.
        at: When, by the database's clock.
        step_slug: The step.
    """

    run_id: UUID
    cursor: str = field(repr=False)
    at: datetime
    step_slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReopened:
    """A run was retried or restarted: some of its steps are back to where they had not run.

    Attributes:
        run_id: The run.
        cursor: Where to go on after the event.
        at: When, by the database's clock.
        step_slugs: The steps, which may start and end once more.
        ended_as: How the run had ended before; None if it had not.
        error_message: Why it had failed or was cancelled.
        failed_step_slug: The step that had failed it.
    """

    run_id: UUID
    cursor: str = field(repr=False)
    at: datetime
    step_slugs: tuple[str, ...]
    ended_as: Literal["completed", "failed", "cancelled"] | None
    error_message: str | None
    failed_step_slug: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A run ended: the last event of every run, and there is exactly one.

    A run that is retried or restarted later has another end. Events that are read from the
    beginning tell of the former ends as a `RunReopened` each.

    Attributes:
        run_id: The run.
        cursor: Where to go on after the event.
        at: When, by the database's clock.
        status: How.
        error_message: Why it failed or was cancelled; None where there is no reason to tell.
        failed_step_slug: The step that failed it; None if it did not fail.
    """

    run_id: UUID
    cursor: str = field(repr=False)
    at: datetime
    status: Literal["completed", "failed", "cancelled"]
    error_message: str | None
    failed_step_slug: str | None


Event: TypeAlias = (
    RunStarted
    | StepStarted
    | AttemptsFailed
    | MapProgressed
    | StepCompleted
    | StepFailed
    | StepSkipped
    | StepCancelled
    | RunReopened
    | RunEnded
)
"""Any event of a run."""
