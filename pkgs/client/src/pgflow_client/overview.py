"""What a database does as a whole, for those who run it. Needs the role pgflow_reader."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from psycopg import Cursor
from psycopg.rows import tuple_row

from pgflow_client.errors import translate_errors

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from psycopg import Connection

    from pgflow_client._functions.call import Call

__all__ = [
    "FailedAttempt",
    "FlowOverview",
    "Overview",
    "WorkerOverview",
    "read_failed_attempts",
    "read_flow_slugs",
    "read_overview",
    "read_schema_version",
]

T = TypeVar("T")

# Who was lost longer ago has lost its tasks to others, and is history.
_LOST_SINCE: Final = timedelta(hours=1)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A database at one moment.

    Attributes:
        schema_version: Number of the newest migration that is installed.
        flows: Its flows, by slug.
        workers: Its workers, the oldest first. Those that stopped are left out, and those that
            were lost more than an hour ago.
    """

    schema_version: int
    flows: tuple[FlowOverview, ...]
    workers: tuple[WorkerOverview, ...]


def read_overview(conn: Connection[Any]) -> Overview:
    """Read what a database does as a whole, all at the same moment.

    Args:
        conn: A connection outside of any transaction.

    Raises:
        DatabaseProblem: pgflow is not installed, or the user is no pgflow_reader.
    """
    # Here, since the functions make the values of this module.
    from pgflow_client._functions.overview import list_flows, list_workers

    with translate_errors(), conn.transaction():
        return Overview(
            schema_version=read_schema_version(conn),
            flows=tuple(_execute(conn, list_flows())),
            workers=tuple(_execute(conn, list_workers(f"{_LOST_SINCE.total_seconds()} s"))),
        )


def read_schema_version(conn: Connection[Any]) -> int:
    """Read the number of the newest migration that is installed.

    Raises:
        DatabaseProblem: pgflow is not installed, or the user may not use it.
    """
    from pgflow_client._functions.runs import schema_version

    return _execute(conn, schema_version())


def read_flow_slugs(conn: Connection[Any]) -> tuple[str, ...]:
    """Read the slugs of all flows, in order. Clients and workers may do so, too.

    Raises:
        DatabaseProblem: pgflow is not installed, or the user may not use it.
    """
    from pgflow_client._functions.overview import list_flow_slugs

    return tuple(_execute(conn, list_flow_slugs()))


def read_failed_attempts(
    conn: Connection[Any], run_id: UUID, limit: int = 100
) -> tuple[FailedAttempt, ...]:
    """Read the latest failed attempts of a run, the latest first.

    Args:
        conn: A connection.
        run_id: The run.
        limit: How many at most.

    Raises:
        DatabaseProblem: pgflow is not installed, or the user is no pgflow_reader.
    """
    from pgflow_client._functions.overview import list_failed_attempts

    return tuple(_execute(conn, list_failed_attempts(run_id, limit)))


def _execute(conn: Connection[Any], call: Call[T]) -> T:
    with translate_errors():
        cursor = Cursor(conn, row_factory=tuple_row)
        return call.read(cursor.execute(call.sql, call.arguments).fetchall())
