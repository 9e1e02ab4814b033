"""Connections for programs that outlive the server: they come back by themselves."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, LiteralString, TypeAlias, TypeVar

import psycopg
from psycopg import sql
from psycopg.types.string import TextLoader

T = TypeVar("T")

AsyncConn: TypeAlias = psycopg.AsyncConnection[Any]
"""A connection for asyncio."""
Conn: TypeAlias = psycopg.Connection[Any]
"""A connection for a thread."""
DatabaseError: TypeAlias = psycopg.Error
"""Whatever the driver raises."""

_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 5.0
# Transient by their nature: the server goes away, comes up, fails over, or refuses us for now.
_TRANSIENT: Final = (psycopg.OperationalError, psycopg.InterfaceError)

logger: Final = logging.getLogger("pgflow.worker")


class Link:
    """One connection, opened when it is first needed and again whenever it breaks.

    Args:
        conninfo: URL or connection string.
        name: What it is for, for the log and pg_stat_activity.
        prepared_statements: Whether statements are prepared.
    """

    def __init__(self, conninfo: str, name: str, *, prepared_statements: bool) -> None:
        self._conninfo: Final = conninfo
        self._name: Final = name
        self._prepare_threshold: Final = 0 if prepared_statements else None
        self._conn: AsyncConn | None = None

    async def open(self) -> AsyncConn:
        """Return the connection, opened if it is not.

        Raises:
            psycopg.OperationalError: The server cannot be reached.
        """
        if self._conn is None or self._conn.closed:
            self._conn = await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                prepare_threshold=self._prepare_threshold,
                application_name=f"pgflow {self._name}",
            )
            # JSON stays text here: pydantic reads it straight into what the handler takes.
            for type_name in ("jsonb", "uuid"):
                self._conn.adapters.register_loader(type_name, TextLoader)
        return self._conn

    async def close(self) -> None:
        """Close the connection if it is open."""
        if self._conn is not None:
            await self._conn.close()
            self._conn = None

    async def call(
        self,
        function: Callable[[AsyncConn], Awaitable[T]],
        on_loss: Callable[[], None] | None = None,
    ) -> T:
        """Call a function with the connection until the server has answered.

        The function is called again after a lost connection, so it has to bear that: what was
        sent may or may not have been done.

        Args:
            function: What to do with the connection.
            on_loss: Called whenever a connection was lost while the function ran.

        Raises:
            psycopg.Error: The server refused what was asked; asking again would not help.
        """
        delay = _FIRST_DELAY
        while True:
            try:
                conn = await self.open()
                return await function(conn)
            except _TRANSIENT as error:
                if not is_transient(error):
                    raise
                if on_loss is not None:
                    on_loss()
                logger.warning(
                    "the database cannot be reached (%s), trying again: %s", self._name, error
                )
                await self.close()
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(2 * delay, _LONGEST_DELAY)

    async def listen(self, channel: LiteralString) -> AsyncGenerator[str | None]:
        """Yield None once listening has begun, then the payload of each notification.

        Args:
            channel: The channel.

        Raises:
            psycopg.Error: The connection was lost, or notifications are not to be had.
        """
        conn = await self.open()
        await conn.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
        yield None
        async for notification in conn.notifies():
            if notification.channel == channel:
                yield notification.payload


def connect_briefly(conninfo: str, name: str) -> Conn:
    """Open a connection for calls that have to be quick.

    Args:
        conninfo: URL or connection string.
        name: What it is for, for pg_stat_activity.

    Raises:
        psycopg.OperationalError: The server cannot be reached within 5 seconds.
    """
    return psycopg.connect(
        conninfo,
        autocommit=True,
        prepare_threshold=None,
        connect_timeout=5,
        application_name=f"pgflow {name}",
    )


@contextmanager
def bounded_transaction(conn: Conn, milliseconds: int) -> Generator[None]:
    """Run statements in a transaction, each of which is given up after a time.

    Args:
        conn: The connection.
        milliseconds: The longest a statement may take.
    """
    with conn.transaction():
        # Of the transaction and not of the session, so that it holds behind a pooler too.
        conn.execute("select set_config('statement_timeout', %s, true)", (str(milliseconds),))
        yield


def is_transient(error: DatabaseError) -> bool:
    """Tell whether an error may go away by waiting and trying again.

    Lost connections have no SQLSTATE or one of class 08 or 57; deadlocks and serialisation
    failures are of class 40, exhausted resources of class 53.
    """
    return error.sqlstate is None or error.sqlstate[:2] in {"08", "40", "53", "57"}
