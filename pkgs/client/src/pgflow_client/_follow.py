"""Turns looks at a run into events: what is new since the last look, each thing once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, cast

from pgflow_client.events import (
    AttemptsFailed,
    Event,
    MapProgressed,
    RunEnded,
    RunStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pgflow_client.progress import RunProgress, StepProgress, StepStatus

__all__ = ["Follower"]

_RANK: Final[dict[StepStatus, int]] = {
    "created": 0,
    "started": 1,
    "completed": 2,
    "failed": 2,
    "skipped": 2,
    "cancelled": 2,
}


class Follower:
    """Remembers what it has told of a run, and tells only what is new.

    Attributes:
        is_done: Whether the run's end has been told, so that nothing can follow.
    """

    def __init__(self) -> None:
        self.is_done = False
        self._is_begun = False
        self._told: dict[str, StepProgress] = {}

    def follow(self, run: RunProgress) -> Iterator[Event]:
        """Yield what has happened since the last look.

        Causes come before their effects: first the ends of steps that were under way, then
        steps that have come and gone since, then steps that have started, then what the run's
        failure cancelled, and the end of the run last.

        Args:
            run: The run as it is now. One that is older than the last look yields nothing.
        """
        if self.is_done:
            return
        if not self._is_begun:
            self._is_begun = True
            yield RunStarted(run_id=run.run_id, at=run.started_at, flow_slug=run.flow_slug)
        # Filtered before the first event goes out: telling one changes what the others would see.
        phases: list[list[StepProgress]] = [[], [], [], []]
        for step in run.steps:
            if self._is_news(step):
                phases[self._phase(step)].append(step)
        for phase in phases:
            for step in phase:
                before = self._told.get(step.step_slug)
                self._told[step.step_slug] = step
                yield from _step_events(run, before, step)
        if run.status != "started":
            self.is_done = True
            yield RunEnded(
                run_id=run.run_id,
                at=run.ended_at or run.started_at,
                status=run.status,
                error_message=run.error_message,
                failed_step_slug=run.failed_step_slug,
            )

    def _is_news(self, step: StepProgress) -> bool:
        before = self._told.get(step.step_slug)
        if before is None or _RANK[step.status] > _RANK[before.status]:
            return True
        # A server that lags behind the one asked before may show an older state.
        return _RANK[step.status] == _RANK[before.status] and (
            step.failed_attempts >= before.failed_attempts and step.tasks_done >= before.tasks_done
        )

    def _phase(self, step: StepProgress) -> Literal[0, 1, 2, 3]:
        before = self._told.get(step.step_slug)
        if step.status == "cancelled":
            return 3
        if before is not None and before.status == "started":
            return 0
        return 1 if step.is_ended else 2


def _step_events(
    run: RunProgress, before: StepProgress | None, step: StepProgress
) -> Iterator[Event]:
    if before is not None and before.is_ended:
        return
    was_started = before is not None and before.status == "started"
    if step.started_at is not None and not was_started:
        yield StepStarted(
            run_id=run.run_id,
            at=step.started_at,
            step_slug=step.step_slug,
            tasks=step.tasks_total or 0,
        )
    if step.failed_attempts > (before.failed_attempts if before else 0):
        yield AttemptsFailed(
            run_id=run.run_id, step_slug=step.step_slug, failed_attempts=step.failed_attempts
        )
    # A step that has completed has all its tasks done: its end says so.
    is_counted = step.kind == "map" and step.status != "completed"
    if is_counted and step.tasks_done > (before.tasks_done if before else 0):
        yield MapProgressed(
            run_id=run.run_id,
            step_slug=step.step_slug,
            done=step.tasks_done,
            total=step.tasks_total or 0,
        )
    if step.is_ended:
        yield _end(run, step)


def _end(run: RunProgress, step: StepProgress) -> Event:
    # The database writes an instant with each end.
    at = cast("datetime", step.ended_at)
    if step.status == "failed":
        return StepFailed(
            run_id=run.run_id, at=at, step_slug=step.step_slug, error_message=step.error_message
        )
    if step.status == "skipped":
        return StepSkipped(
            run_id=run.run_id,
            at=at,
            step_slug=step.step_slug,
            reason=step.skip_reason,
            error_message=step.error_message,
        )
    if step.status == "cancelled":
        return StepCancelled(run_id=run.run_id, at=at, step_slug=step.step_slug)
    return StepCompleted(run_id=run.run_id, at=at, step_slug=step.step_slug)
