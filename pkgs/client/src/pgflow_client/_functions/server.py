"""Who it is that answers on a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pgflow_client._functions.call import Call

if TYPE_CHECKING:
    from pgflow_client._functions.call import Rows

__all__ = ["ANSWERING_PROCESS", "answering_process", "bound_statements", "is_read_only"]

ANSWERING_PROCESS: Final = "select pg_backend_pid()"
"""The id of the server process that answers.

A server tells it on connecting, too. A pooler that lends one server connection to many clients
makes up an id for each client, to know by whose statement it is to cancel: so where the two differ,
there is a pooler in between.
"""

# The snapshot of the transaction is taken by its second statement.
_HOLD_STILL: Final = "set transaction isolation level repeatable read, read only"
_BOUND_STATEMENTS: Final = "select set_config('statement_timeout', %(milliseconds)s::text, true)"
# Not of the transaction: looks are always taken in one that only reads.
_IS_READ_ONLY: Final = """
select pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean
"""


def answering_process() -> Call[int]:
    """Ask for the id of the server process that answers."""
    return Call(sql=ANSWERING_PROCESS, arguments={}, read=_first)


def bound_statements(milliseconds: int) -> tuple[Call[None], ...]:
    """Begin a transaction that sees one moment, changes nothing, and takes its statements' time.

    Args:
        milliseconds: How long each of its statements may take.
    """
    arguments = {"milliseconds": str(milliseconds)}
    return (
        Call(sql=_HOLD_STILL, arguments={}, read=_nothing),
        Call(sql=_BOUND_STATEMENTS, arguments=arguments, read=_nothing),
    )


def is_read_only() -> Call[bool]:
    """Ask whether the server takes no writes, as one that follows another."""
    return Call(sql=_IS_READ_ONLY, arguments={}, read=_is_so)


def _is_so(rows: Rows) -> bool:
    return bool(rows[0][0])


def _nothing(rows: Rows) -> None:
    return None


def _first(rows: Rows) -> int:
    return int(rows[0][0])
