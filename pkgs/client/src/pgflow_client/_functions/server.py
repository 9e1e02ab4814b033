"""Who it is that answers on a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pgflow_client._functions.call import Call

if TYPE_CHECKING:
    from pgflow_client._functions.call import Rows

__all__ = ["ANSWERING_PROCESS", "answering_process"]

ANSWERING_PROCESS: Final = "select pg_backend_pid()"
"""The id of the server process that answers.

A server tells it on connecting, too. A pooler that lends one server connection to many clients
makes up an id for each client, to know by whose statement it is to cancel: so where the two differ,
there is a pooler in between.
"""


def answering_process() -> Call[int]:
    """Ask for the id of the server process that answers."""
    return Call(sql=ANSWERING_PROCESS, arguments={}, read=_first)


def _first(rows: Rows) -> int:
    return int(rows[0][0])
