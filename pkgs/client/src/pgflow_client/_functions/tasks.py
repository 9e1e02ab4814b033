"""The SQL functions that a worker calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString, NamedTuple, cast

from pgflow_client._link import AsyncConn, Conn

_REPORT_AND_CLAIM: Final = """
select task.flow_slug, task.run_id, task.step_slug, task.input, task.task_index, task.flow_input,
  task.attempts_count, task.refused
from pgflow.report_and_claim(
  %s::uuid, %s::text[], %s::int, %s::uuid[], %s::text[], %s::int[], %s::int[], %s::jsonb[],
  %s::uuid[], %s::text[], %s::int[], %s::int[], %s::text[], %s::boolean[], %s::int[],
  %s::text[], %s::text[], %s::jsonb
) as task
"""
_CLAIM_TASKS: Final = """
select task.flow_slug, task.run_id, task.step_slug, task.input, task.task_index, task.flow_input,
  task.attempts_count, task.refused
from pgflow.claim_tasks(%s::text[], %s::int, %s::uuid, %s::jsonb) as task
"""
_GET_SHARED_INPUT: Final = "select pgflow.get_shared_input(%s::uuid, %s::text)::text"
_GET_FLOW_INPUT: Final = "select pgflow.get_flow_input(%s::uuid)::text"
_RELEASE_TASKS: Final = "select pgflow.release_tasks(%s::uuid[], %s::text[], %s::int[], %s::int[])"
_RELEASE_UNKNOWN_TASKS: Final = """
select pgflow.release_unknown_tasks(%s::uuid, %s::uuid[], %s::text[], %s::int[], %s::int[])
"""
_FIND_HELD_RUNS: Final = "select run_id from pgflow.find_held_runs(%s::uuid[]) as run_id"
_FIND_LOST_ATTEMPTS: Final = """
select task.flow_slug, task.run_id, task.step_slug, task.input, task.task_index, task.flow_input,
  task.attempts_count, task.refused
from pgflow.find_lost_attempts(%s::uuid[], %s::text[], %s::int[], %s::int[]) as task
"""
_APPEND_TO_STREAMS: Final = """
select task.flow_slug, task.run_id, task.step_slug, task.input, task.task_index, task.flow_input,
  task.attempts_count, task.refused
from pgflow.append_to_streams(
  %s::uuid[], %s::text[], %s::int[], %s::int[], %s::int[], %s::jsonb[]
) as task
"""
_WAIT_FOR_TASKS: Final = "select pgflow.wait_for_tasks(%s::uuid, %s::text[])"
_REGISTER_WORKER: Final = "select pgflow.register_worker(%s::uuid, %s::text[], %s::text, %s::int)"
_CLAIM_APART: Final = "select pgflow.claim_apart(%s::text[], %s::text[])"
_HEARTBEAT: Final = "select pgflow.heartbeat(%s::uuid)"
_REQUEUE_STALLED_TASKS: Final = "select pgflow.requeue_stalled_tasks(%s::int)"
_TRACK_WORKER_FUNCTION: Final = "select pgflow.track_worker_function(%s::text, %s::text[])"
_MARK_WORKER_STOPPED: Final = "select pgflow.mark_worker_stopped(%s::uuid)"
_SKIP_DELAYS: Final = "select pgflow.skip_delays(%s::uuid)"
_ENSURE_FLOW_COMPILED: Final = """
select pgflow.ensure_flow_compiled(%s::text, %s::jsonb, %s, %s)::text
"""


class TaskRow(NamedTuple):
    """A claimed task, or a refused report.

    Attributes:
        flow_slug: The flow; None for a report of an unknown task.
        run_id: The run, as text.
        step_slug: The step.
        input: JSON text: {dependency: output}, or the element of a map.
        task_index: The element's place for a map, else 0.
        flow_input: JSON text of the flow input where the handler takes it.
        attempt: The attempt that this claim is.
        refused: None for a claimed task; else why the report changed nothing.
    """

    flow_slug: str | None
    run_id: str
    step_slug: str
    input: str | None
    task_index: int
    flow_input: str | None
    attempt: int
    refused: str | None

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What tells the attempt from all others: run, step, task and attempt."""
        return self.run_id, self.step_slug, self.task_index, self.attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed attempt.

    Attributes:
        row: The claim.
        message: What went wrong.
        is_final: Whether the task may not be tried again.
        retry_delay: Seconds until the next attempt; None has the database compute it.
        error_type: Name of the exception's class; None where there was no exception.
        traceback: Text of its traceback; None where there was none.
    """

    row: TaskRow
    message: str
    is_final: bool = False
    retry_delay: int | None = None
    error_type: str | None = None
    traceback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Results of attempts that are reported in one call.

    Attributes:
        completed: Claims that succeeded.
        outputs: JSON text of what each of them returned.
        failures: Attempts that failed.
    """

    completed: Sequence[TaskRow]
    outputs: Sequence[str]
    failures: Sequence[Failure]

    def __len__(self) -> int:
        return len(self.completed) + len(self.failures)

    def rows(self) -> list[TaskRow]:
        """Return the claims of all the attempts."""
        return [*self.completed, *(failure.row for failure in self.failures)]


def key_columns(
    rows: Sequence[TaskRow],
) -> tuple[list[str], list[str], list[int], list[int]]:
    """Return the keys of attempts as parallel arrays: run, step, task and attempt."""
    return (
        [row.run_id for row in rows],
        [row.step_slug for row in rows],
        [row.task_index for row in rows],
        [row.attempt for row in rows],
    )


async def report_and_claim(
    conn: AsyncConn,
    worker_id: str,
    flow_slugs: Sequence[str],
    quantity: int,
    reports: Reports,
    room: str | None = None,
) -> list[TaskRow]:
    """Report a batch and claim the next, in one round trip and one commit."""
    cursor = await conn.execute(
        _REPORT_AND_CLAIM,
        (
            worker_id,
            flow_slugs,
            quantity,
            *key_columns(reports.completed),
            list(reports.outputs),
            *key_columns([failure.row for failure in reports.failures]),
            [failure.message for failure in reports.failures],
            [failure.is_final for failure in reports.failures],
            [failure.retry_delay for failure in reports.failures],
            [failure.error_type for failure in reports.failures],
            [failure.traceback for failure in reports.failures],
            room,
        ),
    )
    return [TaskRow._make(row) for row in await cursor.fetchall()]


async def claim_tasks(
    conn: AsyncConn,
    worker_id: str,
    flow_slugs: Sequence[str],
    quantity: int,
    room: str | None = None,
) -> list[TaskRow]:
    """Claim tasks that are ready.

    Args:
        conn: A connection outside of any transaction.
        worker_id: The worker.
        flow_slugs: The flows that it serves.
        quantity: How many at most.
        room: JSON text {"flow" or "flow.step": how many of these at most}; None limits none.
    """
    cursor = await conn.execute(_CLAIM_TASKS, (flow_slugs, quantity, worker_id, room))
    return [TaskRow._make(row) for row in await cursor.fetchall()]


async def get_shared_input(conn: AsyncConn, run_id: str, step_slug: str) -> str:
    """Return, as JSON text, what every element of a map receives beside itself."""
    return cast("str", await _value(conn, _GET_SHARED_INPUT, (run_id, step_slug)))


async def get_flow_input(conn: AsyncConn, run_id: str) -> str:
    """Return what a run was started with, as JSON text."""
    return cast("str", await _value(conn, _GET_FLOW_INPUT, (run_id,)))


async def release_tasks(conn: AsyncConn, rows: Sequence[TaskRow]) -> int:
    """Hand claimed tasks back; return how many this attempt still held."""
    return cast("int", await _value(conn, _RELEASE_TASKS, key_columns(rows)))


async def release_unknown_tasks(conn: AsyncConn, worker_id: str, known: Sequence[TaskRow]) -> int:
    """Hand back what the worker holds without knowing it; return how many that were."""
    return cast("int", await _value(conn, _RELEASE_UNKNOWN_TASKS, (worker_id, *key_columns(known))))


async def find_held_runs(conn: AsyncConn, run_ids: Sequence[str]) -> frozenset[str]:
    """Return those of the runs that another transaction holds."""
    cursor = await conn.execute(_FIND_HELD_RUNS, (list(run_ids),))
    return frozenset(str(row[0]) for row in await cursor.fetchall())


async def find_lost_attempts(conn: AsyncConn, rows: Sequence[TaskRow]) -> list[TaskRow]:
    """Return those of the attempts that count no longer, with the reason in refused."""
    cursor = await conn.execute(_FIND_LOST_ATTEMPTS, key_columns(rows))
    return [TaskRow._make(row) for row in await cursor.fetchall()]


async def append_to_streams(
    conn: AsyncConn, rows: Sequence[TaskRow], first_numbers: Sequence[int], items: Sequence[str]
) -> list[TaskRow]:
    """Store what attempts emitted; return those that count no longer, with the reason in refused.

    Args:
        conn: The connection.
        rows: The claims.
        first_numbers: For each, the place of its first item among all that it has emitted, from 1.
        items: For each, a JSON array of its items.
    """
    arguments = (*key_columns(rows), list(first_numbers), list(items))
    cursor = await conn.execute(_APPEND_TO_STREAMS, arguments)
    return [TaskRow._make(row) for row in await cursor.fetchall()]


async def wait_for_tasks(
    conn: AsyncConn, worker_id: str, flow_slugs: Sequence[str]
) -> float | None:
    """Say that the worker sleeps; return the seconds until a delayed task comes due."""
    return cast("float | None", await _value(conn, _WAIT_FOR_TASKS, (worker_id, flow_slugs)))


async def register_worker(
    conn: AsyncConn, worker_id: str, flow_slugs: Sequence[str], place: str, lease_seconds: int
) -> None:
    """Register the worker."""
    await conn.execute(_REGISTER_WORKER, (worker_id, flow_slugs, place, lease_seconds))


async def track_worker_function(
    conn: AsyncConn, function_name: str, flow_slugs: Sequence[str]
) -> None:
    """Have a worker behind a URL called when its flows have work."""
    await conn.execute(_TRACK_WORKER_FUNCTION, (function_name, flow_slugs))


async def mark_worker_stopped(conn: AsyncConn, worker_id: str) -> None:
    """Say that the worker has stopped."""
    await conn.execute(_MARK_WORKER_STOPPED, (worker_id,))


async def skip_delays(conn: AsyncConn, run_id: str) -> int:
    """Have what a run waits for come due at once; return how many tasks that were."""
    return cast("int", await _value(conn, _SKIP_DELAYS, (run_id,)))


async def ensure_flow_compiled(
    conn: AsyncConn, flow_slug: str, shape: str, *, allow_data_loss: bool, make_version: bool
) -> str:
    """Bring a flow's definition in line with its code; return {"status", "differences"} as text."""
    arguments = (flow_slug, shape, allow_data_loss, make_version)
    return cast("str", await _value(conn, _ENSURE_FLOW_COMPILED, arguments))


async def claim_apart(conn: AsyncConn, steps: Sequence[tuple[str, str]]) -> None:
    """Have steps, each with its flow, claimed apart from the rest of their flows."""
    flow_slugs, step_slugs = [flow for flow, _ in steps], [step for _, step in steps]
    await conn.execute(_CLAIM_APART, (flow_slugs, step_slugs))


def heartbeat(conn: Conn, worker_id: str) -> bool:
    """Say that the worker is alive; return whether people have deprecated it."""
    row = conn.execute(_HEARTBEAT, (worker_id,)).fetchone()
    return bool(row and row[0])


def requeue_stalled_tasks(conn: Conn, quantity: int) -> int:
    """Take tasks from lost workers, at most so many; return how many."""
    row = conn.execute(_REQUEUE_STALLED_TASKS, (quantity,)).fetchone()
    return int(row[0]) if row else 0


async def _value(conn: AsyncConn, query: LiteralString, arguments: Sequence[object]) -> Any:
    cursor = await conn.execute(query, arguments)
    row = await cursor.fetchone()
    return row[0] if row else None
