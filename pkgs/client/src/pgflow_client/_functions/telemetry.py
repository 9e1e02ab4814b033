"""The SQL functions by which a worker tells of itself and its tasks."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from pgflow_client._functions.tasks import TaskRow, key_columns
from pgflow_client._link import AsyncConn

_GET_TRACE_CONTEXTS: Final = """
select traced.run_id, traced.trace_context
from pgflow.get_trace_contexts(%s::uuid[]) as traced
"""
_FIND_RETRIES: Final = """
select retry.run_id, retry.step_slug, retry.task_index, retry.attempt, retry.retry_in
from pgflow.find_retries(%s::uuid[], %s::text[], %s::int[], %s::int[]) as retry
"""
_GET_QUEUE_DEPTH: Final = """
select depth.flow_slug, depth.ready_tasks, depth.oldest_ready, depth.delayed_tasks,
  depth.started_tasks
from pgflow.get_queue_depth(%s::text[]) as depth
"""
_GET_ALERT_FIGURES: Final = """
select figures.living_workers, figures.lost_workers, figures.oldest_transaction, figures.dead_rows
from pgflow.get_alert_figures() as figures
"""


class RetryRow(NamedTuple):
    """What became of a failed attempt.

    Attributes:
        run_id: The run, as text.
        step_slug: The step.
        task_index: The task.
        attempt: The attempt that failed.
        retry_in: Seconds until the next one may start; None where there is none.
    """

    run_id: str
    step_slug: str
    task_index: int
    attempt: int
    retry_in: float | None

    @property
    def key(self) -> tuple[str, str, int, int]:
        """The same as that of the attempt's `TaskRow`."""
        return self.run_id, self.step_slug, self.task_index, self.attempt


class DepthRow(NamedTuple):
    """The tasks of a flow that are not done.

    Attributes:
        flow_slug: The flow.
        ready: How many a worker may claim now.
        oldest_ready: Seconds for which the oldest of them has been there; None without any.
        delayed: How many wait for their time.
        started: How many workers hold.
    """

    flow_slug: str
    ready: int
    oldest_ready: float | None
    delayed: int
    started: int


class AlertFigures(NamedTuple):
    """What alerts look at besides the queues.

    Attributes:
        living_workers: How many workers beat within their lease, whatever they serve.
        lost_workers: How many did not within the last hour, and did not stop.
        oldest_transaction: Seconds since the oldest one began that keeps dead rows.
        dead_rows: How many of them the queue's table has.
    """

    living_workers: int
    lost_workers: int
    oldest_transaction: float
    dead_rows: int


async def get_trace_contexts(conn: AsyncConn, run_ids: Sequence[str]) -> dict[str, str]:
    """Return the trace contexts of the runs that have one, as JSON text by run."""
    cursor = await conn.execute(_GET_TRACE_CONTEXTS, (run_ids,))
    return dict(await cursor.fetchall())


async def find_retries(conn: AsyncConn, rows: Sequence[TaskRow]) -> list[RetryRow]:
    """Return what became of the attempts whose failure was recorded."""
    cursor = await conn.execute(_FIND_RETRIES, key_columns(rows))
    return [RetryRow._make(row) for row in await cursor.fetchall()]


async def get_queue_depth(conn: AsyncConn, flow_slugs: Sequence[str]) -> list[DepthRow]:
    """Count the tasks of these versions that are not done."""
    # A name alone would stand for all versions, those that the worker does not serve included.
    slugs = [slug if "@" in slug else f"{slug}@1" for slug in flow_slugs]
    cursor = await conn.execute(_GET_QUEUE_DEPTH, (slugs,))
    return [DepthRow._make(row) for row in await cursor.fetchall()]


async def get_alert_figures(conn: AsyncConn) -> AlertFigures:
    """Read what alerts look at besides the queues."""
    cursor = await conn.execute(_GET_ALERT_FIGURES)
    [row] = await cursor.fetchall()
    return AlertFigures._make(row)
