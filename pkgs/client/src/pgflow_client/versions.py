"""The versions of flows, for those who run a database: see them, compare them, put them to use.

To see them takes the role pgflow_reader, pgflow_client or pgflow_worker; to change which are in
use, the owner of the schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import Cursor
from psycopg.rows import tuple_row

from pgflow_client._functions.versions import (
    FlowVersion,
    get_shape,
    list_versions,
    name_of,
    retire_version,
    use_version,
)
from pgflow_client.errors import FlowNotFound, translate_errors

if TYPE_CHECKING:
    from psycopg import Connection

    from pgflow_client._functions.call import Call

__all__ = [
    "FlowVersion",
    "name_of",
    "read_flow_shape",
    "read_flow_versions",
    "retire_flow_version",
    "use_flow_version",
]

T = TypeVar("T")


def read_flow_versions(
    conn: Connection[Any], flow_slug: str | None = None
) -> tuple[FlowVersion, ...]:
    """Read the versions of a flow, or of all flows, by flow and the youngest first.

    Args:
        conn: A connection.
        flow_slug: Name of the flow; None is all.

    Raises:
        FlowNotFound: There is no such flow.
        DatabaseProblem: pgflow is not installed, or the user may not use it.
    """
    found = tuple(_execute(conn, list_versions(flow_slug)))
    if not found and flow_slug is not None:
        raise _not_found(flow_slug, f"flow {flow_slug} does not exist")
    return found


def read_flow_shape(
    conn: Connection[Any], flow_slug: str, version: int | None = None
) -> dict[str, Any]:
    """Read the structure of a version, to be compared with another by `compare_shapes`.

    Args:
        conn: A connection.
        flow_slug: Name of the flow.
        version: Number of the version; None is the one that new runs take.

    Raises:
        FlowNotFound: There is no such flow, or no such version of it.
        DatabaseProblem: pgflow is not installed, or the user may not use it.
    """
    shape = _execute(conn, get_shape(flow_slug, version))
    if shape is None:
        what = "does not exist" if version is None else f"has no version {version}"
        lister = "list" if version is None else "versions"
        raise _not_found(flow_slug, f"flow {flow_slug} {what}", lister)
    return shape


def use_flow_version(conn: Connection[Any], flow_slug: str, version: int) -> None:
    """Have new runs of a flow take a version, an older or a retired one, too.

    Args:
        conn: A connection of the schema's owner.
        flow_slug: Name of the flow.
        version: Number of the version.

    Raises:
        FlowNotFound: There is no such flow, or no such version of it.
        DatabaseProblem: The user may not do that, or pgflow is not installed.
    """
    _execute(conn, use_version(flow_slug, version))


def retire_flow_version(
    conn: Connection[Any], flow_slug: str, version: int, *, cancel: bool = False
) -> int:
    """Take a version out of use: no run of it starts, and none that has ended goes on.

    Args:
        conn: A connection of the schema's owner.
        flow_slug: Name of the flow.
        version: Number of the version.
        cancel: Whether its runs that have not ended are cancelled.

    Returns:
        How many were cancelled.

    Raises:
        FlowNotFound: There is no such flow, or no such version of it.
        VersionInUse: It has runs that have not ended, or new runs take it and could take another.
        DatabaseProblem: The user may not do that, or pgflow is not installed.
    """
    return _execute(conn, retire_version(flow_slug, version, cancel=cancel))


def _execute(conn: Connection[Any], call: Call[T]) -> T:
    with translate_errors():
        cursor = Cursor(conn, row_factory=tuple_row)
        return call.read(cursor.execute(call.sql, call.arguments).fetchall())


def _not_found(flow_slug: str, message: str, lister: str = "list") -> FlowNotFound:
    return FlowNotFound(message, f"`pgflow flows {lister}` lists them", f"flow_slug={flow_slug}")
