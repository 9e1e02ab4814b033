"""What waits, and who works on what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pgflow_client._functions.call import Call, Rows

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

__all__ = ["HeldTask", "QueueDepth", "WorkerLoad", "list_held_tasks", "list_queue_depths"]

# Reads the indexes of live tasks only, and of each queue no more than the limit.
_LIST_QUEUE_DEPTHS: Final = """
select
  flow.flow_slug,
  (
    select count(*)
    from (
      (
        select from pgflow.step_tasks as task
        where task.flow_slug = flow.flow_slug and task.status = 'queued'
          and task.order_at < 'infinity' and not task.claimed_apart
        limit %(most)s::int
      )
      union all
      (
        select from pgflow.step_tasks as task
        where task.flow_slug = flow.flow_slug and task.status = 'queued'
          and task.order_at < 'infinity' and task.claimed_apart
        limit %(most)s::int
      )
      limit %(most)s::int
    ) as ready
  ),
  (
    select count(*)
    from (
      select from pgflow.step_tasks as task
      where task.flow_slug = flow.flow_slug and task.status = 'queued'
        and task.order_at = 'infinity'
      limit %(most)s::int
    ) as delayed
  ),
  coalesce(held.tasks, 0)
from pgflow.flows as flow
left join (
  select held.flow_slug, count(*) as tasks
  from (
    select task.flow_slug
    from pgflow.step_tasks as task
    where task.status = 'started' and task.last_worker_id is not null
    limit %(most)s::int
  ) as held
  group by held.flow_slug
) as held on held.flow_slug = flow.flow_slug
order by flow.flow_slug
limit %(flows)s::int
"""
_LIST_HELD_TASKS: Final = """
select worker.worker_id, held.tasks, task.*
from pgflow.workers as worker
cross join lateral (
  select count(*) as tasks
  from (
    select from pgflow.step_tasks as task
    where task.last_worker_id = worker.worker_id and task.status = 'started'
    limit %(most)s::int
  ) as task
) as held
left join lateral (
  select
    task.flow_slug, task.run_id, task.step_slug, task.task_index, task.attempts_count,
    task.started_at
  from pgflow.step_tasks as task
  where task.last_worker_id = worker.worker_id and task.status = 'started'
  limit %(page)s::int
) as task on true
where worker.stopped_at is null
order by worker.worker_id, task.started_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """What waits of a flow, and what is under way.

    Attributes:
        flow_slug: The flow.
        ready: Queued tasks that a worker may claim now, counted up to a limit.
        delayed: Queued tasks that wait for their time, counted up to a limit.
        held: Tasks that workers hold.
    """

    flow_slug: str
    ready: int
    delayed: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTask:
    """A task that a worker holds.

    Attributes:
        flow_slug: Its flow.
        run_id: Its run.
        step_slug: Its step.
        task_index: The element's place for a map, else 0.
        attempt: Which attempt it is.
        started_at: When it was claimed.
    """

    flow_slug: str
    run_id: UUID
    step_slug: str
    task_index: int
    attempt: int
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLoad:
    """What a worker is at.

    Attributes:
        worker_id: The worker.
        count: How many tasks it holds, counted up to a limit.
        tasks: The first of them.
    """

    worker_id: UUID
    count: int
    tasks: tuple[HeldTask, ...]


def list_queue_depths(*, most: int, flows: int) -> Call[list[QueueDepth]]:
    """Count what waits of each flow.

    Args:
        most: Where counting ends.
        flows: How many flows at most.
    """
    return Call(sql=_LIST_QUEUE_DEPTHS, arguments={"most": most, "flows": flows}, read=_depths)


def list_held_tasks(*, page: int, most: int) -> Call[list[WorkerLoad]]:
    """List what workers hold that have not stopped in good order.

    Args:
        page: How many tasks of a worker at most.
        most: Where counting ends.
    """
    return Call(sql=_LIST_HELD_TASKS, arguments={"page": page, "most": most}, read=_loads)


def _depths(rows: Rows) -> list[QueueDepth]:
    return [QueueDepth(flow_slug=row[0], ready=row[1], delayed=row[2], held=row[3]) for row in rows]


def _loads(rows: Rows) -> list[WorkerLoad]:
    counts: dict[UUID, int] = {}
    tasks: dict[UUID, list[HeldTask]] = {}
    for row in rows:
        counts[row[0]] = row[1]
        held = tasks.setdefault(row[0], [])
        if row[2] is not None:
            held.append(
                HeldTask(
                    flow_slug=row[2],
                    run_id=row[3],
                    step_slug=row[4],
                    task_index=row[5],
                    attempt=row[6],
                    started_at=row[7],
                )
            )
    return [
        WorkerLoad(worker_id=worker_id, count=count, tasks=tuple(tasks[worker_id]))
        for worker_id, count in counts.items()
    ]
