"""How far a run has come: its status and its steps' at one moment, without inputs and outputs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias
from uuid import UUID

from pgflow_client._position import position_after

__all__ = [
    "RunProgress",
    "RunState",
    "RunStatus",
    "StepProgress",
    "StepStatus",
    "parse_progress",
]

RunStatus: TypeAlias = Literal["started", "completed", "failed", "cancelled"]
StepStatus: TypeAlias = Literal["created", "started", "completed", "failed", "skipped", "cancelled"]


class RunState(NamedTuple):
    """A run's status, and which of its lives it is of.

    Attributes:
        status: The status.
        reopened_count: How often the run had been retried or restarted.
    """

    status: RunStatus
    reopened_count: int

    def is_older_than(self, other: RunState) -> bool:
        """Return whether the other one has come after this one."""
        # Within one life a run ends once, and a look may come back after one that was sent later.
        if self.reopened_count != other.reopened_count:
            return self.reopened_count < other.reopened_count
        return self.status == "started" and other.status != "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """Where a step of a run stands.

    Attributes:
        step_slug: The step.
        kind: "single", with one task, or "map", with one task for each element.
        status: Its status.
        tasks_total: Number of its tasks; None while a map waits for its array.
        tasks_done: Number of its completed tasks.
        failed_attempts: Number of attempts that failed, of all its tasks.
        attempt_failed_at: When the latest of them failed; None if none did.
        error_message: Why it failed, or was skipped after a failure.
        skip_reason: "condition_unmet", "handler_failed" or "dependency_skipped" if skipped.
        started_at: When its tasks came into being; None if it never started.
        ended_at: When it was completed, failed, skipped or cancelled.
    """

    step_slug: str
    kind: Literal["single", "map"]
    status: StepStatus
    tasks_total: int | None
    tasks_done: int
    failed_attempts: int
    attempt_failed_at: datetime | None
    error_message: str | None
    skip_reason: str | None
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def is_ended(self) -> bool:
        """Whether the status is one that cannot change any more."""
        return self.status not in ("created", "started")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """Where a run and its steps stand, all at the same moment.

    Attributes:
        run_id: The run.
        flow_slug: Its flow.
        status: Its status.
        remaining_steps: Number of steps that are neither completed nor skipped.
        error_message: Why it failed or was cancelled; None where there is no reason to tell.
        failed_step_slug: The step that failed it; None if it did not fail.
        reopened_count: How often it was retried or restarted.
        started_at: When it was started.
        ended_at: When it was completed, failed or cancelled.
        read_at: When all this was so, by the database's clock.
        steps: Its steps, dependencies before dependents.
    """

    run_id: UUID
    flow_slug: str
    status: RunStatus
    remaining_steps: int
    error_message: str | None
    failed_step_slug: str | None
    reopened_count: int
    started_at: datetime
    ended_at: datetime | None
    # Two looks that show the same are equal.
    read_at: datetime = field(compare=False)
    steps: tuple[StepProgress, ...]

    @property
    def is_ended(self) -> bool:
        """Whether the run has ended; it may still be retried or restarted."""
        return self.status != "started"

    @property
    def state(self) -> RunState:
        """The status, in a form that tells which of two is the older."""
        return RunState(self.status, self.reopened_count)

    @property
    def cursor(self) -> str:
        """Where to go on for the events after this moment: `run.events(after=...)`."""
        return str(position_after(self))


def parse_progress(text: str) -> RunProgress:
    """Return what `pgflow.get_run_progress` returned as JSON text."""
    run: dict[str, Any] = json.loads(text)
    return RunProgress(
        run_id=UUID(run["run_id"]),
        flow_slug=run["flow_slug"],
        status=run["status"],
        remaining_steps=run["remaining_steps"],
        error_message=run["error_message"],
        failed_step_slug=run["failed_step_slug"],
        reopened_count=run["reopened_count"],
        started_at=datetime.fromisoformat(run["started_at"]),
        ended_at=_instant(run["completed_at"] or run["failed_at"] or run["cancelled_at"]),
        read_at=datetime.fromisoformat(run["read_at"]),
        steps=tuple(_step(step) for step in run["steps"]),
    )


def _step(step: dict[str, Any]) -> StepProgress:
    total, remaining = step["initial_tasks"], step["remaining_tasks"]
    ended = step["completed_at"] or step["failed_at"] or step["skipped_at"] or step["cancelled_at"]
    return StepProgress(
        step_slug=step["step_slug"],
        kind=step["step_type"],
        status=step["status"],
        tasks_total=total,
        tasks_done=0 if total is None or remaining is None else total - remaining,
        failed_attempts=step["failed_attempts"],
        attempt_failed_at=_instant(step["attempt_failed_at"]),
        error_message=step["error_message"],
        skip_reason=step["skip_reason"],
        started_at=_instant(step["started_at"]),
        ended_at=_instant(ended),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
