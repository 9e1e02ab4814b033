"""What a database does as a whole: its flows, its queue, its workers, and where runs went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pgflow_client._functions.call import Call, Rows

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

__all__ = [
    "FailedAttempt",
    "FlowOverview",
    "WorkerOverview",
    "list_failed_attempts",
    "list_flow_slugs",
    "list_flows",
    "list_workers",
]

_LIST_FLOW_SLUGS: Final = "select flow.flow_slug from pgflow.flows as flow order by flow.flow_slug"
_LIST_FLOWS: Final = """
select
  flow.flow_slug,
  (select count(*) from pgflow.steps as step where step.flow_slug = flow.flow_slug),
  coalesce(runs.started, 0), coalesce(runs.completed, 0), coalesce(runs.failed, 0),
  coalesce(runs.cancelled, 0),
  (
    select count(*) from pgflow.step_tasks as task
    where task.flow_slug = flow.flow_slug and task.status = 'queued'
      and task.order_at < 'infinity' and not task.claimed_apart
  ) + (
    select count(*) from pgflow.step_tasks as task
    where task.flow_slug = flow.flow_slug and task.status = 'queued'
      and task.order_at < 'infinity' and task.claimed_apart
  ),
  (
    select count(*) from pgflow.step_tasks as task
    where task.flow_slug = flow.flow_slug and task.status = 'queued' and task.order_at = 'infinity'
  ),
  coalesce(tasks.started, 0)
from pgflow.flows as flow
left join (
  select
    run.flow_slug,
    count(*) filter (where run.status = 'started') as started,
    count(*) filter (where run.status = 'completed') as completed,
    count(*) filter (where run.status = 'failed') as failed,
    count(*) filter (where run.status = 'cancelled') as cancelled
  from pgflow.runs as run
  group by run.flow_slug
) as runs on runs.flow_slug = flow.flow_slug
left join (
  select task.flow_slug, count(*) as started
  from pgflow.step_tasks as task
  where task.status = 'started'
  group by task.flow_slug
) as tasks on tasks.flow_slug = flow.flow_slug
order by flow.flow_slug
"""
_LIST_WORKERS: Final = """
select
  worker.worker_id, worker.function_name, worker.flow_slugs,
  case
    when worker.last_heartbeat_at
      < clock_timestamp() - make_interval(secs => worker.lease_seconds) then 'lost'
    when worker.deprecated_at is not null then 'deprecated'
    else 'alive'
  end,
  worker.started_at, worker.last_heartbeat_at
from pgflow.workers as worker
where worker.stopped_at is null
  and worker.last_heartbeat_at > clock_timestamp() - %(lost_since)s::interval
order by worker.started_at
"""
_LIST_FAILED_ATTEMPTS: Final = """
select
  attempt.step_slug, attempt.task_index, attempt.attempt, attempt.failed_at, attempt.retry_at,
  attempt.error_message
from pgflow.task_attempts as attempt
where attempt.run_id = %(run_id)s::uuid
order by attempt.failed_at desc, attempt.step_slug, attempt.task_index, attempt.attempt desc
limit %(limit)s::int
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowOverview:
    """A flow in numbers.

    Attributes:
        flow_slug: The flow.
        steps: Number of its steps.
        runs_started: Runs under way.
        runs_completed: Runs that completed.
        runs_failed: Runs that failed.
        runs_cancelled: Runs that were cancelled.
        tasks_ready: Queued tasks that a worker may claim now.
        tasks_delayed: Queued tasks that wait for their time, such as a retry.
        tasks_started: Tasks that workers hold.
    """

    flow_slug: str
    steps: int
    runs_started: int
    runs_completed: int
    runs_failed: int
    runs_cancelled: int
    tasks_ready: int
    tasks_delayed: int
    tasks_started: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOverview:
    """A worker that has registered and has not stopped in good order.

    Attributes:
        worker_id: The worker.
        place: Where it runs: host and process id.
        flow_slugs: The flows that it serves.
        state: "alive"; "deprecated" if it was told to drain; "lost" if its lease has run out.
        started_at: When it registered.
        last_heartbeat_at: When it last said that it is alive.
    """

    worker_id: UUID
    place: str
    flow_slugs: tuple[str, ...]
    state: Literal["alive", "deprecated", "lost"]
    started_at: datetime
    last_heartbeat_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """An attempt of a task that failed.

    Attributes:
        step_slug: The step.
        task_index: The element's place for a map, else 0.
        attempt: Which attempt it was, from 1.
        failed_at: When the failure was recorded.
        retry_at: When the next attempt may start, at the earliest; None where there is none.
        error_message: What went wrong.
    """

    step_slug: str
    task_index: int
    attempt: int
    failed_at: datetime
    retry_at: datetime | None
    error_message: str


def list_flow_slugs() -> Call[list[str]]:
    """List the slugs of all flows."""
    return Call(sql=_LIST_FLOW_SLUGS, arguments={}, read=_slugs)


def list_flows() -> Call[list[FlowOverview]]:
    """Count the runs and the queued tasks of each flow."""
    return Call(sql=_LIST_FLOWS, arguments={}, read=_flows)


def list_workers(lost_since: str) -> Call[list[WorkerOverview]]:
    """List the workers that did not stop in good order.

    Args:
        lost_since: An interval as PostgreSQL reads it; workers lost longer ago are left out.
    """
    return Call(sql=_LIST_WORKERS, arguments={"lost_since": lost_since}, read=_workers)


def list_failed_attempts(run_id: UUID, limit: int) -> Call[list[FailedAttempt]]:
    """List the latest failed attempts of a run, the latest first."""
    arguments = {"run_id": run_id, "limit": limit}
    return Call(sql=_LIST_FAILED_ATTEMPTS, arguments=arguments, read=_attempts)


def _slugs(rows: Rows) -> list[str]:
    return [row[0] for row in rows]


def _flows(rows: Rows) -> list[FlowOverview]:
    return [
        FlowOverview(
            flow_slug=row[0],
            steps=row[1],
            runs_started=row[2],
            runs_completed=row[3],
            runs_failed=row[4],
            runs_cancelled=row[5],
            tasks_ready=row[6],
            tasks_delayed=row[7],
            tasks_started=row[8],
        )
        for row in rows
    ]


def _workers(rows: Rows) -> list[WorkerOverview]:
    return [
        WorkerOverview(
            worker_id=row[0],
            place=row[1],
            flow_slugs=tuple(row[2]),
            state=row[3],
            started_at=row[4],
            last_heartbeat_at=row[5],
        )
        for row in rows
    ]


def _attempts(rows: Rows) -> list[FailedAttempt]:
    return [
        FailedAttempt(
            step_slug=row[0],
            task_index=row[1],
            attempt=row[2],
            failed_at=row[3],
            retry_at=row[4],
            error_message=row[5],
        )
        for row in rows
    ]
