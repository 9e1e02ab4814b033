# Made by tools/make_sync.py from _async/attempt.py: edit that file, then run the tool.
# ruff: noqa: SIM117, UP028, RUF100 (what stood apart to be async need not stand apart here)
"""Connections whose transactions are those of attempts: what handlers write, and their end."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg
from pgflow_dsl.errors import TransactionBroken, TransactionEnded
from psycopg import Connection, IsolationLevel
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from pgflow_client._functions.attempts import (
    COMPLETE,
    END_SESSIONS,
    ENTER,
    FORGET,
    completing,
    entering,
)
from pgflow_client._link import connection_parameters

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import LiteralString

    from pgflow_client._functions.tasks import TaskRow

__all__ = ["AttemptConnection"]

_USUAL_THRESHOLD: Final = 5


class AttemptConnection:
    """A connection for one attempt after the other.

    Attributes:
        connection: What the handler gets.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        """Take over a connection that is in no transaction; see `open`."""
        self.connection: Final = connection
        self._transaction: AbstractContextManager[Any] | None = None

    @staticmethod
    def open(conninfo: str, *, prepares: bool) -> AttemptConnection:
        """Open a connection.

        Args:
            conninfo: URL or connection string.
            prepares: Whether statements may be prepared.

        Raises:
            psycopg.OperationalError: The server cannot be reached.
        """
        connection = Connection.connect(
            conninfo,
            autocommit=True,
            prepare_threshold=_USUAL_THRESHOLD if prepares else None,
            **connection_parameters(conninfo, "transaction"),
        )
        # What counts dependencies off waits for locks, and must see what it waited for.
        connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
        return AttemptConnection(connection)

    @property
    def is_usable(self) -> bool:
        """Whether it is open."""
        return not self.connection.closed

    def begin(self, row: TaskRow, idle_seconds: int) -> bool:
        """Begin the transaction of an attempt; return whether the attempt still counts.

        Args:
            row: The claim.
            idle_seconds: How long the transaction may be idle before the server ends it.
        """
        others = self._enter(entering(row, idle_seconds, waits=False))
        if others:
            # A lost worker has left them in the midst of an earlier attempt.
            self.roll_back()
            with suppress(psycopg.errors.InsufficientPrivilege):
                self._ask(END_SESSIONS, (others,))
            others = self._enter(entering(row, idle_seconds, waits=True))
        return others is not None

    def complete(self, row: TaskRow, output: str) -> str | None:
        """Record the output and commit all that was done; return why it was refused, if it was.

        Where it was refused, nothing is committed yet, nor rolled back.

        Raises:
            TransactionEnded: The handler has ended the transaction itself.
            TransactionBroken: A statement of the handler failed, and it went on.
            psycopg.Error: The server refused the output, or was lost.
        """
        status = self.connection.info.transaction_status
        if status == TransactionStatus.INERROR:
            raise TransactionBroken(row.step_slug)
        if status == TransactionStatus.IDLE or self._transaction is None:
            raise TransactionEnded(row.step_slug)
        self._ask(FORGET, None)
        refused = self._ask(COMPLETE, completing(row, output))
        if refused is not None:
            return str(refused)
        transaction, self._transaction = self._transaction, None
        transaction.__exit__(None, None, None)
        self.connection.row_factory = tuple_row
        return None

    def roll_back(self) -> None:
        """Undo all that was done since `begin`."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            error = psycopg.Rollback()
            transaction.__exit__(type(error), error, None)
        self._ask(FORGET, None)
        self.connection.row_factory = tuple_row

    def close(self) -> None:
        """Close the connection; the server undoes what was not committed."""
        self.connection.close()

    def _enter(self, arguments: tuple[object, ...]) -> list[int] | None:
        transaction = self.connection.transaction()
        transaction.__enter__()
        self._transaction = transaction
        others: list[int] | None = self._ask(ENTER, arguments)
        return others

    def _ask(self, query: LiteralString, arguments: tuple[object, ...] | None) -> Any:
        # Whatever the handler has made of the connection's own way to make rows.
        cursor = psycopg.Cursor(self.connection, row_factory=tuple_row)
        # Several statements cannot be prepared as one.
        cursor.execute(query, arguments, prepare=None if arguments else False)
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        return row[0] if row else None
