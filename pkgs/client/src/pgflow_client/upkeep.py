"""Looking after a database, for those who run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from psycopg import Cursor
from psycopg.rows import tuple_row

from pgflow_client._functions.health import (
    IndexHealth,
    OldTransaction,
    ServerHealth,
    TableHealth,
    get_server_health,
    list_index_health,
    list_old_transactions,
    list_table_health,
)
from pgflow_client._functions.server import answering_process
from pgflow_client._functions.upkeep import (
    Settings,
    UserRights,
    count_prunable_runs,
    delete_flow,
    get_settings,
    get_user_rights,
    list_index_names,
    prune_runs,
)
from pgflow_client._functions.workload import (
    HeldTask,
    QueueDepth,
    WorkerLoad,
    list_held_tasks,
    list_queue_depths,
)
from pgflow_client.errors import translate_errors

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from psycopg import Connection

    from pgflow_client._functions.call import Call

__all__ = [
    "HeldTask",
    "IndexHealth",
    "OldTransaction",
    "QueueDepth",
    "ServerHealth",
    "Settings",
    "TableHealth",
    "UserRights",
    "WorkerLoad",
    "count_prunable",
    "delete_flow_and_data",
    "has_pooler",
    "prune",
    "read_index_health",
    "read_index_names",
    "read_old_transactions",
    "read_queue_depths",
    "read_server_health",
    "read_settings",
    "read_table_health",
    "read_user_rights",
    "read_worker_loads",
]

T = TypeVar("T")

_COUNT_TO: Final = 10_000
_MOST: Final = 1000


def prune(conn: Connection[Any], retention: timedelta, quantity: int = 1000) -> int:
    """Delete runs that ended longer ago, with their history, a bounded number at a time.

    Args:
        conn: A connection of the schema's owner.
        retention: How long runs are kept after their end.
        quantity: How many to delete at most; call again until none was.

    Returns:
        How many were deleted.

    Raises:
        DatabaseProblem: The user may not do that, or pgflow is not installed.
    """
    return _execute(conn, prune_runs(retention, quantity))


def count_prunable(conn: Connection[Any], retention: timedelta) -> int:
    """Count the runs that ended longer ago."""
    return _execute(conn, count_prunable_runs(retention))


def delete_flow_and_data(conn: Connection[Any], flow_slug: str) -> None:
    """Delete a flow with all of its runs.

    Args:
        conn: A connection of the schema's owner.
        flow_slug: The flow.

    Raises:
        FlowNotFound: There is none.
        DatabaseProblem: The user may not do that, or pgflow is not installed.
    """
    _execute(conn, delete_flow(flow_slug))


def has_pooler(conn: Connection[Any]) -> bool:
    """Tell whether a pooler stands before the server."""
    return _execute(conn, answering_process()) != conn.info.backend_pid


def read_user_rights(conn: Connection[Any]) -> UserRights:
    """Read what the user of the connection may do."""
    return _execute(conn, get_user_rights())


def read_index_names(conn: Connection[Any]) -> frozenset[str]:
    """Read which indexes the schema has."""
    return frozenset(_execute(conn, list_index_names()))


def read_settings(conn: Connection[Any]) -> Settings:
    """Read what the server promises of what it has written."""
    return _execute(conn, get_settings())


def read_server_health(conn: Connection[Any]) -> ServerHealth:
    """Read how the server and the database fare."""
    return _execute(conn, get_server_health())


def read_table_health(conn: Connection[Any]) -> tuple[TableHealth, ...]:
    """Read how the tables of the schema fare, the largest first."""
    return tuple(_execute(conn, list_table_health()))


def read_index_health(conn: Connection[Any]) -> tuple[IndexHealth, ...]:
    """Read how the B-tree indexes of the schema fare, the largest first."""
    return tuple(_execute(conn, list_index_health()))


def read_old_transactions(conn: Connection[Any], than: timedelta) -> tuple[OldTransaction, ...]:
    """Read which transactions have been open for longer, the oldest first."""
    call = list_old_transactions(seconds=than.total_seconds(), page=20)
    return tuple(_execute(conn, call))


def read_queue_depths(conn: Connection[Any]) -> tuple[QueueDepth, ...]:
    """Read what waits of each flow, counted up to 10,000."""
    return tuple(_execute(conn, list_queue_depths(most=_COUNT_TO, flows=_MOST)))


def read_worker_loads(conn: Connection[Any], page: int = 20) -> dict[UUID, WorkerLoad]:
    """Read what workers hold, by their ids.

    Args:
        conn: A connection.
        page: How many tasks of a worker at most.
    """
    loads = _execute(conn, list_held_tasks(page=page, most=_COUNT_TO))
    return {load.worker_id: load for load in loads}


def _execute(conn: Connection[Any], call: Call[T]) -> T:
    with translate_errors():
        cursor = Cursor(conn, row_factory=tuple_row)
        cursor.execute(call.sql, call.arguments)
        return call.read(cursor.fetchall() if cursor.description else [])
