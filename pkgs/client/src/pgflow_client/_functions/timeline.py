"""When the tasks of a run were queued, claimed and ended, and which of their attempts failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pgflow_client._functions.call import Call, Rows

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

__all__ = [
    "TaskFailure",
    "TaskState",
    "TaskStatus",
    "list_failures",
    "list_first_tasks",
    "list_streams",
    "list_tasks",
]

TaskStatus: TypeAlias = Literal["queued", "started", "completed", "failed", "skipped", "cancelled"]

_LIST_FIRST_TASKS: Final = """
select task.*
from pgflow.step_states as state
cross join lateral (
  select
    task.step_slug, task.task_index, task.status, task.attempts_count, task.requeued_count,
    task.queued_at, task.available_at, task.started_at,
    coalesce(task.completed_at, task.failed_at, task.skipped_at, task.cancelled_at),
    task.last_worker_id, left(task.error_message, 500)
  from pgflow.step_tasks as task
  where task.run_id = state.run_id and task.step_slug = state.step_slug
  order by task.task_index
  limit %(page)s::int
) as task
where state.run_id = %(run_id)s::uuid
limit %(most)s::int
"""
_LIST_TASKS: Final = """
with looked as materialized (
  select
    task.step_slug, task.task_index, task.status, task.attempts_count, task.requeued_count,
    task.queued_at, task.available_at, task.started_at,
    coalesce(task.completed_at, task.failed_at, task.skipped_at, task.cancelled_at),
    task.last_worker_id, left(task.error_message, 500)
  from pgflow.step_tasks as task
  where task.run_id = %(run_id)s::uuid and task.step_slug = %(step_slug)s::text
    and task.task_index > %(after)s::int
  order by task.task_index
  limit %(most)s::int
)
select *
from looked
where looked.status = coalesce(%(status)s::text, looked.status)
order by looked.task_index
limit %(page)s::int
"""
_LIST_STREAMS: Final = """
select stream.step_slug from pgflow.streams as stream where stream.run_id = %(run_id)s::uuid
order by stream.step_slug
"""
_LIST_FAILURES: Final = """
select
  attempt.step_slug, attempt.task_index, attempt.attempt, attempt.worker_id, attempt.started_at,
  attempt.failed_at, attempt.retry_at, left(attempt.error_message, 2000), attempt.error_type,
  left(attempt.traceback, 20000)
from (
  select attempt.*
  from pgflow.task_attempts as attempt
  where attempt.run_id = %(run_id)s::uuid
  limit %(most)s::int
) as attempt
order by attempt.failed_at desc
limit %(page)s::int
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """Where a task stands.

    Attributes:
        step_slug: Its step.
        task_index: The element's place for a map, else 0.
        status: Its status.
        attempts: How often it was claimed.
        requeued: How often it was taken from a lost worker.
        queued_at: When it came into being.
        available_at: When it may be claimed, at the earliest.
        started_at: When its latest attempt was claimed.
        ended_at: When it ended.
        worker_id: The worker of its latest attempt.
        error_message: The beginning of the error of its latest failed attempt.
    """

    step_slug: str
    task_index: int
    status: TaskStatus
    attempts: int
    requeued: int
    queued_at: datetime
    available_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    worker_id: UUID | None
    error_message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailure:
    """A failed attempt of a task, with all that is known of it.

    Attributes:
        step_slug: The step.
        task_index: The element's place for a map, else 0.
        attempt: Which attempt it was, from 1.
        worker_id: The worker that had claimed it.
        started_at: When it was claimed.
        failed_at: When the failure was recorded.
        retry_at: When the next attempt may start, at the earliest; None where there is none.
        error_message: What went wrong.
        error_type: Name of the exception's class; None where it is not known.
        traceback: Its traceback; None where it is not known.
    """

    step_slug: str
    task_index: int
    attempt: int
    worker_id: UUID | None
    started_at: datetime | None
    failed_at: datetime
    retry_at: datetime | None
    error_message: str
    error_type: str | None
    traceback: str | None


def list_first_tasks(run_id: UUID, *, page: int, most: int) -> Call[list[TaskState]]:
    """List the first tasks of each step of a run.

    Args:
        run_id: The run.
        page: How many tasks of a step at most.
        most: How many at most.
    """
    arguments = {"run_id": run_id, "page": page, "most": most}
    return Call(sql=_LIST_FIRST_TASKS, arguments=arguments, read=_tasks)


def list_tasks(
    run_id: UUID,
    step_slug: str,
    *,
    after: int,
    status: TaskStatus | None,
    page: int,
    most: int,
) -> Call[list[TaskState]]:
    """List tasks of a step, in their order.

    Args:
        run_id: The run.
        step_slug: The step.
        after: Only tasks with a greater index.
        status: Only those of this status; None for all.
        page: How many at most.
        most: How many to look at.
    """
    arguments = {
        "run_id": run_id,
        "step_slug": step_slug,
        "after": after,
        "status": status,
        "page": page,
        "most": most,
    }
    return Call(sql=_LIST_TASKS, arguments=arguments, read=_tasks)


def list_failures(run_id: UUID, *, page: int, most: int) -> Call[list[TaskFailure]]:
    """List the latest failed attempts of a run, the latest first.

    Args:
        run_id: The run.
        page: How many at most.
        most: How many to look at.
    """
    arguments = {"run_id": run_id, "page": page, "most": most}
    return Call(sql=_LIST_FAILURES, arguments=arguments, read=_failures)


def list_streams(run_id: UUID) -> Call[list[str]]:
    """List the steps of a run that have emitted something."""
    return Call(sql=_LIST_STREAMS, arguments={"run_id": run_id}, read=_slugs)


def _slugs(rows: Rows) -> list[str]:
    return [row[0] for row in rows]


def _tasks(rows: Rows) -> list[TaskState]:
    return [
        TaskState(
            step_slug=row[0],
            task_index=row[1],
            status=row[2],
            attempts=row[3],
            requeued=row[4],
            queued_at=row[5],
            available_at=row[6],
            started_at=row[7],
            ended_at=row[8],
            worker_id=row[9],
            error_message=row[10],
        )
        for row in rows
    ]


def _failures(rows: Rows) -> list[TaskFailure]:
    return [
        TaskFailure(
            step_slug=row[0],
            task_index=row[1],
            attempt=row[2],
            worker_id=row[3],
            started_at=row[4],
            failed_at=row[5],
            retry_at=row[6],
            error_message=row[7],
            error_type=row[8],
            traceback=row[9],
        )
        for row in rows
    ]
