"""The ways to reach a database: a URL, somebody's pool, or somebody's connection."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from pgflow_client._functions.runs import listen_to_runs
from pgflow_client._functions.server import answering_process
from pgflow_client._link import PARAMETERS
from pgflow_client._place import Place
from pgflow_client._readable import has_data
from pgflow_client._runtime.aio import Semaphore, heed_cancellation, resolve
from pgflow_client.errors import (
    ClientClosed,
    DatabaseUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from contextlib import AbstractAsyncContextManager

    from psycopg import AsyncConnection

    from pgflow_client._functions.call import Call

__all__ = [
    "AUTO",
    "CallersConnection",
    "CallersPool",
    "Database",
    "OwnConnections",
    "PrepareThreshold",
    "execute",
    "way_to",
]

T = TypeVar("T")

AUTO: Final = "auto"
"""The driver's threshold on a connection to the server itself, none through a pooler."""
PrepareThreshold: TypeAlias = 'int | Literal["auto"] | None'

_USUAL_THRESHOLD: Final = 5


async def execute(conn: AsyncConnection[Any], call: Call[T]) -> T:
    """Run one call on a connection, whatever its settings for rows, cursors and JSON."""
    cursor = psycopg.AsyncCursor(conn, row_factory=tuple_row)
    with heed_cancellation():
        await cursor.execute(call.sql, call.arguments)
        rows = await cursor.fetchall() if cursor.description else []
    return call.read(rows)


class Database(Place, ABC):
    """A way to reach the database.

    Attributes:
        can_reconnect: Whether a lost connection can be had anew.
        can_listen: Whether a connection of its own can be had for notifications.
    """

    can_reconnect: bool = True
    can_listen: bool = True

    @abstractmethod
    def connection(self) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        """Lend a connection; what was done on it is committed at the end."""

    async def call(self, call: Call[T]) -> T:
        """Run one call and commit it.

        Raises:
            PgflowError: The database refused or could not be reached.
        """
        with self.telling() as told, heed_cancellation():
            async with self.connection() as conn:
                told.was_reached = True
                return await execute(conn, call)

    async def call_all(self, calls: Sequence[Call[T]]) -> list[T]:
        """Run calls in one transaction, and return what each returned.

        Raises:
            PgflowError: The database refused one or could not be reached; none has an effect.
        """
        with self.telling() as told, heed_cancellation():
            async with self.connection() as conn:
                told.was_reached = True
                async with conn.transaction():
                    return [await execute(conn, call) for call in calls]

    def is_in_transaction(self) -> bool:
        """Return whether the caller has begun a transaction, which hides what it starts."""
        return False

    @abstractmethod
    async def open_listener(self) -> AsyncConnection[Any] | None:
        """Open a connection that is told of changes of runs. It is the caller's to close.

        Returns:
            The connection; None where a pooler stands before the server, which may lend what
            listens to others, where the server only follows another, and where there is only the
            caller's own.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close what is its own."""


class OwnConnections(Database):
    """A few connections of the client's own, opened when they are first needed."""

    def __init__(self, url: str, *, most: int, prepare_threshold: PrepareThreshold) -> None:
        self._url = url
        self._prepare_threshold = prepare_threshold
        self._settings: dict[str, Any] = {
            "autocommit": True,
            "prepare_threshold": None,
            **_default_parameters(url),
        }
        self._slots = Semaphore(most)
        self._idle: list[AsyncConnection[Any]] = []
        self._is_closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[AsyncConnection[Any], None]:
        async with self._slots:
            if self._is_closed:
                raise ClientClosed
            conn = await self._take_idle()
            if conn is None:
                conn = await self._open()
            try:
                yield conn
            except psycopg.errors.ReadOnlySqlTransaction:
                # Of several hosts, another one may be the primary by now.
                await conn.close()
                await self._close_idle()
                raise
            finally:
                await self._give_back(conn)

    async def _give_back(self, conn: AsyncConnection[Any]) -> None:
        if self._is_closed or conn.pgconn.transaction_status != TransactionStatus.IDLE:
            await conn.close()
        else:
            self._idle.append(conn)

    async def _take_idle(self) -> AsyncConnection[Any] | None:
        while self._idle:
            conn = self._idle.pop()
            # Nothing is due on an idle connection: what came is the news of its end.
            if not conn.closed and not has_data(conn.fileno()):
                return conn
            await conn.close()
        return None

    async def _open(self) -> AsyncConnection[Any]:
        conn = await psycopg.AsyncConnection.connect(self._url, **self._settings)
        threshold = self._prepare_threshold
        if isinstance(threshold, str):
            threshold = None if await _is_pooled(conn) else _USUAL_THRESHOLD
        conn.prepare_threshold = threshold
        return conn

    async def open_listener(self) -> AsyncConnection[Any] | None:
        return await _listening(await self._open())

    async def close(self) -> None:
        self._is_closed = True
        await self._close_idle()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()


class CallersPool(Database):
    """A pool that the caller opens and closes."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool
        self._is_closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[AsyncConnection[Any], None]:
        if self._is_closed:
            raise ClientClosed
        async with self._pool.connection() as conn:
            yield conn

    async def open_listener(self) -> AsyncConnection[Any] | None:
        # Not one out of the pool: it would be missing there for as long as somebody waits.
        conninfo: Any = await resolve(self._pool.conninfo)
        kwargs: Any = await resolve(self._pool.kwargs)
        settings: dict[str, Any] = {**(kwargs or {}), "autocommit": True}
        kind: Any = self._pool.connection_class
        return await _listening(await kind.connect(conninfo or "", **settings))

    async def close(self) -> None:
        self._is_closed = True


class CallersConnection(Database):
    """The caller's own connection: nothing here commits what the caller has begun."""

    can_reconnect = False
    can_listen = False

    def __init__(self, conn: AsyncConnection[Any]) -> None:
        self._conn = conn
        self._is_closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[AsyncConnection[Any], None]:
        if self._is_closed:
            raise ClientClosed
        yield self._conn

    async def call(self, call: Call[T]) -> T:
        if call.is_write or self._conn.autocommit or self.is_in_transaction():
            return await super().call(call)
        # A look must not begin a transaction that the caller did not ask for and never ends.
        return (await super().call_all([call]))[0]

    async def call_all(self, calls: Sequence[Call[T]]) -> list[T]:
        if self._conn.autocommit or self.is_in_transaction():
            return await super().call_all(calls)
        # Begins the transaction that the caller will commit.
        return [await self.call(call) for call in calls]

    def is_in_transaction(self) -> bool:
        return self._conn.pgconn.transaction_status in (
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
        )

    async def open_listener(self) -> AsyncConnection[Any] | None:
        return None

    async def close(self) -> None:
        self._is_closed = True


def way_to(
    database: str | AsyncConnectionPool[Any] | AsyncConnection[Any],
    max_connections: int,
    prepare_threshold: PrepareThreshold,
) -> Database:
    """Return how to reach what a caller named, in the words of `AsyncClient`."""
    if isinstance(database, str):
        if max_connections < 1:
            raise ValueError(f"max_connections is 1 or more, not {max_connections}")
        return OwnConnections(database, most=max_connections, prepare_threshold=prepare_threshold)
    if isinstance(database, AsyncConnectionPool):
        return CallersPool(database)
    given: Any = database
    if not isinstance(given, psycopg.AsyncConnection):
        kinds = "a URL, an AsyncConnectionPool or an AsyncConnection"
        raise TypeError(f"AsyncClient takes {kinds}, not {type(given).__name__}")
    return CallersConnection(database)


async def _listening(conn: AsyncConnection[Any]) -> AsyncConnection[Any] | None:
    # A server that follows another tells so, and takes no LISTEN.
    if conn.info.parameter_status("in_hot_standby") == "on" or await _is_pooled(conn):
        await conn.close()
        return None
    try:
        for call in listen_to_runs():
            await execute(conn, call)
    except BaseException:
        await conn.close()
        raise
    return conn


async def _is_pooled(conn: AsyncConnection[Any]) -> bool:
    """Tell whether a pooler stands before the server; the connection is closed on an error."""
    try:
        return await execute(conn, answering_process()) != conn.info.backend_pid
    except BaseException:
        await conn.close()
        raise


def _default_parameters(url: str) -> dict[str, Any]:
    if not url.strip():
        # A variable that somebody forgot to set, say: the driver would try one of its own choice.
        raise DatabaseUnreachable("the database URL is empty")
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise DatabaseUnreachable(f"this is not a database URL: {error}") from error
    defaults = {name: value for name, value in PARAMETERS.items() if name not in given}
    if "PGCONNECT_TIMEOUT" in os.environ:
        defaults.pop("connect_timeout", None)
    return {
        **defaults,
        "fallback_application_name": "pgflow-client",
        # Of a database in SQL_ASCII the driver would read bytes, in Latin-1 it could not write all.
        "client_encoding": "UTF8",
    }
