"""Turns looks at a run into events: what is new since the last look, each thing once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from pgflow_client._position import Position, Told, rank_of
from pgflow_client.events import (
    AttemptsFailed,
    Event,
    MapProgressed,
    RunEnded,
    RunReopened,
    RunStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from pgflow_client.progress import RunProgress, StepProgress

__all__ = ["Follower", "Reopening"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopening:
    """A time when steps of a run were put back to where they had not run.

    Attributes:
        reopening: Which time it was, counted from 1.
        step_slugs: The steps.
        progress: What the run had come to right before.
        at: When.
    """

    reopening: int
    step_slugs: frozenset[str]
    progress: RunProgress
    at: datetime


class Follower:
    """Remembers what it has told of a run, and tells only what is new."""

    def __init__(self, run_id: UUID, after: str | None = None) -> None:
        """Begin before the first event, or after the one with a cursor.

        Raises:
            CursorInvalid: The text is no cursor, or one of another run.
        """
        self._told = Position(run_id=run_id) if after is None else Position.parse(after, run_id)

    @property
    def is_done(self) -> bool:
        """Whether the run's end has been told, so that nothing follows unless it is reopened."""
        return self._told.is_ended

    @property
    def reopened_count(self) -> int:
        """How often the run had been reopened as far as has been told."""
        return self._told.reopened_count

    def follow(self, run: RunProgress, reopenings: Sequence[Reopening] = ()) -> Iterator[Event]:
        """Yield what has happened since the last look.

        Causes come before their effects: first the ends of steps that were under way, then
        steps that have come and gone since, then steps that have started, then what the run's
        failure cancelled, and the end of the run last.

        Args:
            run: The run as it is now. One that is older than the last look yields nothing.
            reopenings: The times it was reopened after `reopened_count`, in order.
        """
        told = self._told
        if run.reopened_count < told.reopened_count:
            return
        lives = [each for each in reopenings if each.reopening <= run.reopened_count]
        for place, reopening in enumerate(lives):
            if told.reopened_count < reopening.reopening:
                yield from self._changes(reopening.progress)
                after = lives[place + 1].progress if place + 1 < len(lives) else run
                yield self._reopen(reopening, after)
        told.reopened_count = run.reopened_count
        if told.is_ended:
            return
        yield from self._changes(run)
        if run.status != "started":
            told.is_ended = True
            yield RunEnded(
                run_id=run.run_id,
                cursor=str(told),
                at=run.ended_at or run.started_at,
                status=run.status,
                error_message=run.error_message,
                failed_step_slug=run.failed_step_slug,
            )

    def _reopen(self, reopening: Reopening, after: RunProgress) -> RunReopened:
        before = reopening.progress
        self._told.reopened_count = reopening.reopening
        self._told.is_ended = False
        told: dict[str, Told] = {}
        for step, known in zip(before.steps, self._told.steps, strict=False):
            is_put_back = step.step_slug in reopening.step_slugs
            told[step.step_slug] = (
                Told(failed_attempts=known.failed_attempts) if is_put_back else known
            )
        # The run may have gone on as another version of its flow, with other steps.
        self._told.steps = [told.get(step.step_slug, Told()) for step in after.steps]
        return RunReopened(
            run_id=before.run_id,
            cursor=str(self._told),
            at=reopening.at,
            step_slugs=tuple(
                step.step_slug for step in before.steps if step.step_slug in reopening.step_slugs
            ),
            ended_as=None if before.status == "started" else before.status,
            error_message=before.error_message,
            failed_step_slug=before.failed_step_slug,
        )

    def _changes(self, run: RunProgress) -> Iterator[Event]:
        told = self._told
        if not told.is_begun:
            told.is_begun = True
            yield RunStarted(
                run_id=run.run_id, cursor=str(told), at=run.started_at, flow_slug=run.flow_slug
            )
        told.steps += [Told()] * (len(run.steps) - len(told.steps))
        # Filtered before the first event goes out: telling one changes what the others would see.
        phases: list[list[int]] = [[], [], [], []]
        for place, step in enumerate(run.steps):
            if _is_news(told.steps[place], step):
                phases[_phase(told.steps[place], step)].append(place)
        for phase in phases:
            for place in phase:
                yield from self._step_changes(run, place)

    def _step_changes(self, run: RunProgress, place: int) -> Iterator[Event]:
        step, told = run.steps[place], self._told.steps[place]
        slug = step.step_slug
        if step.started_at is not None and told.rank == 0:
            told = told._replace(rank=1)
            yield StepStarted(
                run_id=run.run_id,
                cursor=self._after(place, told),
                at=step.started_at,
                step_slug=slug,
                tasks=step.tasks_total or 0,
            )
        if step.failed_attempts > told.failed_attempts:
            told = told._replace(failed_attempts=step.failed_attempts)
            yield AttemptsFailed(
                run_id=run.run_id,
                cursor=self._after(place, told),
                at=step.attempt_failed_at or run.read_at,
                step_slug=slug,
                failed_attempts=step.failed_attempts,
            )
        # A step that has completed has all its tasks done: its end says so.
        is_counted = step.kind == "map" and step.status != "completed"
        if is_counted and step.tasks_done > told.tasks_done:
            told = told._replace(tasks_done=step.tasks_done)
            yield MapProgressed(
                run_id=run.run_id,
                cursor=self._after(place, told),
                at=run.read_at,
                step_slug=slug,
                done=step.tasks_done,
                total=step.tasks_total or 0,
            )
        if step.is_ended:
            yield _end(run, step, self._after(place, told._replace(rank=2, tasks_done=0)))

    def _after(self, place: int, told: Told) -> str:
        self._told.steps[place] = told
        return str(self._told)


def _is_news(told: Told, step: StepProgress) -> bool:
    if told.rank == 2 or rank_of(step.status) != told.rank:
        return rank_of(step.status) > told.rank
    # A server that lags behind the one asked before may show an older state.
    return step.failed_attempts >= told.failed_attempts and step.tasks_done >= told.tasks_done


def _phase(told: Told, step: StepProgress) -> Literal[0, 1, 2, 3]:
    if step.status == "cancelled":
        return 3
    if told.rank == 1:
        return 0
    return 1 if step.is_ended else 2


def _end(run: RunProgress, step: StepProgress, cursor: str) -> Event:
    # The database writes an instant with each end.
    at = cast("datetime", step.ended_at)
    slug = step.step_slug
    if step.status == "failed":
        return StepFailed(
            run_id=run.run_id,
            cursor=cursor,
            at=at,
            step_slug=slug,
            error_message=step.error_message,
        )
    if step.status == "skipped":
        return StepSkipped(
            run_id=run.run_id,
            cursor=cursor,
            at=at,
            step_slug=slug,
            reason=step.skip_reason,
            error_message=step.error_message,
        )
    if step.status == "cancelled":
        return StepCancelled(run_id=run.run_id, cursor=cursor, at=at, step_slug=slug)
    return StepCompleted(run_id=run.run_id, cursor=cursor, at=at, step_slug=slug)
