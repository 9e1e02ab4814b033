"""Where the steps of a run stand, as its events tell it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pgflow_client import (
    AttemptsFailed,
    MapProgressed,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta

    from pgflow_client import Event
    from pgflow_dsl import AnyStep, Flow

Standing: TypeAlias = Literal[
    "waiting", "running", "retrying", "done", "skipped", "failed", "cancelled"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """Where a step stands.

    Attributes:
        slug: The step.
        is_map: Whether it has a task for each element.
        standing: In a word.
        tasks_done: How many of its tasks are completed.
        tasks_total: How many it has; 0 until it starts.
        failed_attempts: How many attempts failed.
        error_message: Why it failed.
        started_at: When it started, by the database's clock.
        ended_at: When it ended.
    """

    slug: str
    is_map: bool = False
    standing: Standing = "waiting"
    tasks_done: int = 0
    tasks_total: int = 0
    failed_attempts: int = 0
    error_message: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None where it has not ended, or never started."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at

    @property
    def rate(self) -> float | None:
        """Tasks a second, of an ended step; None where there is no telling."""
        seconds = self.duration.total_seconds() if self.duration else 0
        return self.tasks_total / seconds if seconds else None


class RunView:
    """Where each step of a run stands.

    Attributes:
        flow: The flow.
        steps: Its steps by slug, dependencies before dependents.
    """

    def __init__(self, flow: Flow[Any]) -> None:
        self.flow = flow
        self.steps = {
            step.slug: StepView(slug=step.slug, is_map=step.kind == "map") for step in flow.steps
        }

    def apply(self, event: Event) -> StepView | None:
        """Take an event in.

        Returns:
            The step that it is about; None for an event of the run as a whole.
        """
        slug: str | None = getattr(event, "step_slug", None)
        if slug is None:
            return None
        self.steps[slug] = _after(self.steps[slug], event)
        return self.steps[slug]


def all_done(flow: Flow[Any], *, skipped: Collection[AnyStep] = ()) -> dict[str, StepView]:
    """Tell of steps by slug that all are done, but for those that were skipped."""
    return {
        step.slug: StepView(
            slug=step.slug,
            is_map=step.kind == "map",
            standing="skipped" if step in skipped else "done",
        )
        for step in flow.steps
    }


def _after(step: StepView, event: Event) -> StepView:
    match event:
        case StepStarted():
            return replace(step, standing="running", tasks_total=event.tasks, started_at=event.at)
        case AttemptsFailed():
            # A map goes on with its other elements meanwhile.
            standing: Standing = step.standing if step.is_map else "retrying"
            return replace(step, standing=standing, failed_attempts=event.failed_attempts)
        case MapProgressed():
            return replace(step, tasks_done=event.done)
        case StepCompleted():
            return replace(step, standing="done", tasks_done=step.tasks_total, ended_at=event.at)
        case StepSkipped():
            return replace(step, standing="skipped", ended_at=event.at)
        case StepFailed():
            return replace(
                step, standing="failed", ended_at=event.at, error_message=event.error_message
            )
        case StepCancelled():
            return replace(step, standing="cancelled", ended_at=event.at)
        case _:
            return step
