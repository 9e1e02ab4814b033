"""What a database does as a whole, for those who run it. Needs the role pgflow_reader."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from psycopg import Cursor
from psycopg.rows import tuple_row

from pgflow_client._functions.overview import (
    FailedAttempt,
    FlowOverview,
    WorkerOverview,
    list_failed_attempts,
    list_flow_slugs,
    list_flows,
    list_workers,
)
from pgflow_client._functions.runs import schema_version
from pgflow_client.errors import translate_errors

if TYPE_CHECKING:
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
    "read_workers",
]

T = TypeVar("T")

# Who was lost longer ago has lost its tasks to others, and is history.
_LOST_SINCE: Final = timedelta(hours=1)


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
    with translate_errors(), conn.transaction():
        return Overview(
            schema_version=read_schema_version(conn),
            flows=tuple(_execute(conn, list_flows())),
            workers=tuple(_execute(conn, list_workers(f"{_LOST_SINCE.total_seconds()} s"))),
        )


def read_workers(conn: Connection[Any]) -> tuple[WorkerOverview, ...]:
    """Read which workers there are, the oldest first; those that stopped are left out.

    Raises:
        DatabaseProblem: pgflow is not installed, or the user is no pgflow_reader.
    """
    from pgflow_client._functions.overview import list_workers

    return tuple(_execute(conn, list_workers(f"{_LOST_SINCE.total_seconds()} s")))


def read_schema_version(conn: Connection[Any]) -> int:
    """Read the number of the newest migration that is installed.

    Raises:
        DatabaseProblem: pgflow is not installed, or the user may not use it.
    """
    return _execute(conn, schema_version())


def read_flow_slugs(conn: Connection[Any]) -> tuple[str, ...]:
    """Read the slugs of all flows, in order. Clients and workers may do so, too.

    Raises:
        DatabaseProblem: pgflow is not installed, or the user may not use it.
    """
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
    return tuple(_execute(conn, list_failed_attempts(run_id, limit)))


def _execute(conn: Connection[Any], call: Call[T]) -> T:
    with translate_errors():
        cursor = Cursor(conn, row_factory=tuple_row)
        return call.read(cursor.execute(call.sql, call.arguments).fetchall())
