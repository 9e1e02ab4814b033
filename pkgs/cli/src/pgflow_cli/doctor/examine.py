"""The whole examination, in the order in which people mend things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgflow_client import PermissionRefused

from pgflow_cli.doctor.finding import note
from pgflow_cli.doctor.schema import examine_tables, examine_version
from pgflow_cli.doctor.server import examine_server
from pgflow_cli.doctor.work import examine_work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from pgflow_cli.doctor.finding import Finding

__all__ = ["examine"]


def examine(conn: Connection[Any]) -> Iterator[Finding]:
    """Look at all there is; each finding comes as soon as it is known.

    Args:
        conn: A connection that commits each statement by itself.
    """
    yield from examine_server(conn)
    version = examine_version(conn)
    yield version
    if version.severity == "bad":
        return
    for part in (examine_tables, examine_work):
        try:
            yield from part(conn)
        except PermissionRefused:
            says = "this user may not read the tables, so no more is known"
            yield note("rights", says, "grant it pgflow_reader")
            return
