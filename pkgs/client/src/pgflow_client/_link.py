"""Connections for programs that outlive the server: they come back by themselves."""

import asyncio
import random
import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, LiteralString, TypeAlias, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.string import TextLoader

from pgflow_client._functions.server import ANSWERING_PROCESS
from pgflow_client._outage import Outage
from pgflow_client.errors import DatabaseUnreachable

T = TypeVar("T")

AsyncConn: TypeAlias = psycopg.AsyncConnection[Any]
"""A connection for asyncio."""
Conn: TypeAlias = psycopg.Connection[Any]
"""A connection for a thread."""
DatabaseError: TypeAlias = psycopg.Error
"""Whatever the driver raises."""

_FIRST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 5.0
_TRANSIENT_CLASSES: Final = frozenset({"08", "25", "40", "53", "55", "57", "58"})
# No such function, no right to call it, or pgflow's own refusal.
_LASTING_CLASSES: Final = frozenset({"0A", "28", "3D", "3F", "42", "PF"})
# A connection may be at fault that another is not: it has lost a prepared statement or another's is
# in its place, as happens through a pooler, or a statement was prepared before a migration.
_STALE: Final = frozenset({"26000", "42P05", "0A000"})
_LOCKED: Final = "55P03"
_LOST_STATEMENT: Final = frozenset({"26000", "42P05"})
# How long an answer may take, in seconds, before it is taken for lost: the first time, and at most
# where the server is asked again, since it may be slow and not gone.
_PATIENCE: Final = 30.0
_LONGEST_PATIENCE: Final = 600.0
# How long the first answer on a connection may take, and the answer to a probe of one at rest.
_SHORT_PATIENCE: Final = 10.0
# How much longer than a statement may take its answer may be on its way.
_GRACE: Final = 1.0
_PROBE_INTERVAL: Final = 30.0
PARAMETERS: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""A server that is gone without a word is noticed in half a minute, and not after hours."""


class Link:
    """One connection, opened when it is first needed and again whenever it breaks.

    Args:
        conninfo: URL or connection string.
        name: What it is for, for pg_stat_activity.
        prepared_statements: Whether statements are prepared; None for wherever no pooler would
            lose them.
        outage: Told of each failure and each answer; None for one of its own.

    Raises:
        DatabaseUnreachable: The URL is not one.
    """

    def __init__(
        self,
        conninfo: str,
        name: str,
        *,
        prepared_statements: bool | None,
        outage: Outage | None = None,
    ) -> None:
        self._conninfo: Final = conninfo
        self._parameters: Final = connection_parameters(conninfo, name)
        self._turn: Final = asyncio.Lock()
        self._prepared_statements = prepared_statements
        self._conn: AsyncConn | None = None
        self._is_pooled = False
        self._outage: Final = outage or Outage()

    @property
    def is_pooled(self) -> bool:
        """Whether the last connection went through a pooler, which may lend it to others too."""
        return self._is_pooled

    async def open(self) -> AsyncConn:
        """Return the connection, opened if it is not.

        Raises:
            psycopg.OperationalError: The server cannot be reached, or does not answer.
        """
        if self._conn is None or self._conn.closed:
            conn = await psycopg.AsyncConnection.connect(
                self._conninfo, autocommit=True, prepare_threshold=None, **self._parameters
            )
            try:
                async with _patience(_SHORT_PATIENCE):
                    await self._set_up(conn)
            except BaseException:
                await conn.close()
                raise
            self._conn = conn
        return self._conn

    async def _set_up(self, conn: AsyncConn) -> None:
        # JSON stays text here: pydantic reads it straight into what the handler takes.
        for type_name in ("jsonb", "uuid"):
            conn.adapters.register_loader(type_name, TextLoader)
        cursor = await conn.execute(ANSWERING_PROCESS)
        answering = await cursor.fetchone()
        self._is_pooled = answering != (conn.info.backend_pid,)
        prepares = self._prepared_statements
        if prepares or (prepares is None and not self._is_pooled):
            conn.prepare_threshold = 0

    async def close(self) -> None:
        """Close the connection if it is open."""
        if self._conn is not None:
            await self._conn.close()
            self._conn = None

    async def call(
        self,
        function: Callable[[AsyncConn], Awaitable[T]],
        on_loss: Callable[[], None] | None = None,
        *,
        insists: bool = False,
        patience: float | None = None,
    ) -> T:
        """Call a function with the connection until the server has answered, one call at a time.

        The function is called again after a lost connection, and where no answer comes, so it has
        to bear that: what was sent may or may not have been done.

        Args:
            function: What to do with the connection.
            on_loss: Called whenever a connection was lost while the function ran.
            insists: Whether to call again whatever goes wrong inside the server, since there is
                no value in the call that could be at fault.
            patience: Seconds after which to give up an answer, rather than to ask again with more
                patience. Waits for the server to come back are not counted.

        Raises:
            NoAnswer: The patience is over.
            psycopg.Error: The server refused what was asked; asking again would not help.
        """
        delay, longest, was_stale = _FIRST_DELAY, patience or _PATIENCE, False
        async with self._turn:
            while True:
                conn: AsyncConn | None = None
                try:
                    conn = await self.open()
                    async with _patience(longest):
                        answer = await function(conn)
                    self._outage.answered()
                    return answer
                except DatabaseError as error:
                    is_stale = error.sqlstate in _STALE
                    may_pass = is_transient(error) or (insists and not is_lasting(error))
                    if not may_pass and (was_stale or not is_stale):
                        raise
                    was_stale |= is_stale
                    is_slow = isinstance(error, NoAnswer)
                    longest = min(2 * longest, _LONGEST_PATIENCE) if is_slow else longest
                    # An error that leaves the connection whole is an answer: nothing was done.
                    if on_loss is not None and conn is not None and (is_slow or conn.closed):
                        on_loss()
                    await self._give_up(error)
                    if patience is not None and (is_slow or error.sqlstate == _LOCKED):
                        raise NoAnswer(str(error)) from error
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))
                delay = min(2 * delay, _LONGEST_DELAY)

    async def _give_up(self, error: DatabaseError) -> None:
        """Close a connection that is of no use, so that the next call opens another."""
        if error.sqlstate in _LOST_STATEMENT:
            self._prepared_statements = False
        self._outage.failed(error)
        await self.close()

    async def listen(self, channel: LiteralString) -> AsyncGenerator[str | None]:
        """Yield None once listening has begun, then the payload of each notification.

        Args:
            channel: The channel.

        Raises:
            psycopg.Error: The connection was lost, or notifications are not to be had.
        """
        conn = await self.open()
        async with _patience(_SHORT_PATIENCE):
            await conn.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
        yield None
        while True:
            async for notification in conn.notifies(timeout=_PROBE_INTERVAL):
                if notification.channel == channel:
                    yield notification.payload
            # Silence is what a connection that leads nowhere sounds like, too.
            async with _patience(_SHORT_PATIENCE):
                await conn.execute(ANSWERING_PROCESS)


class NoAnswer(psycopg.OperationalError):
    """The server has not answered in time; it may be gone, or slow."""


@asynccontextmanager
async def _patience(seconds: float) -> AsyncGenerator[None]:
    """Give up what takes too long; the driver then cancels the statement.

    Raises:
        NoAnswer: It took too long.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise NoAnswer(f"there is no answer for {seconds:g} s") from None


def connect_briefly(conninfo: str, name: str) -> Conn:
    """Open a connection for calls that have to be quick.

    Args:
        conninfo: URL or connection string.
        name: What it is for, for pg_stat_activity.

    Raises:
        psycopg.OperationalError: The server cannot be reached within 5 seconds.
    """
    parameters: dict[str, Any] = {**connection_parameters(conninfo, name), "connect_timeout": 5}
    return psycopg.connect(conninfo, autocommit=True, prepare_threshold=None, **parameters)


@contextmanager
def bounded_transaction(conn: Conn, milliseconds: int) -> Generator[None]:
    """Run statements in a transaction, each of which is given up after a time.

    Args:
        conn: The connection.
        milliseconds: The longest a statement may take.

    Raises:
        psycopg.OperationalError: The server does not answer, not even that it took too long.
    """
    with _cut_off_after(conn, milliseconds / 1000 + _GRACE), conn.transaction():
        # Of the transaction and not of the session, so that it holds behind a pooler too.
        conn.execute("select set_config('statement_timeout', %s, true)", (str(milliseconds),))
        yield


@contextmanager
def _cut_off_after(conn: Conn, seconds: float) -> Generator[None]:
    """End the connection of a thread that waits for an answer on it for too long."""

    def cut_off() -> None:
        # The driver's wait ends as if the server had hung up. Not closed here: the thread owns it.
        with suppress(OSError, DatabaseError):
            _hang_up(conn.fileno())

    timer = threading.Timer(seconds, cut_off)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        # So that it is not at work on a connection that is closed next.
        timer.join()


def _hang_up(descriptor: int) -> None:
    held = socket.socket(fileno=descriptor)
    try:
        held.shutdown(socket.SHUT_RDWR)
    finally:
        held.detach()


def is_transient(error: DatabaseError) -> bool:
    """Tell whether an error may go away by waiting and trying again.

    Lost connections have no SQLSTATE or one of class 08 or 57. Class 25 is a server that only
    reads, such as one that is not the primary any more; 40 are deadlocks and serialisation
    failures, 53 exhausted resources, 55 locks that were not to be had, 58 failures of the system
    below.
    """
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate[:2] in _TRANSIENT_CLASSES


def is_lasting(error: DatabaseError) -> bool:
    """Tell whether an error lies in the call itself, whatever its values are.

    There is no such function, no right to call it, or it refuses who calls.
    """
    return error.sqlstate is not None and error.sqlstate[:2] in _LASTING_CLASSES


def connection_parameters(conninfo: str, name: str) -> dict[str, Any]:
    """Return what a connection is opened with beyond what its user says of it."""
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as error:
        raise DatabaseUnreachable(f"this is not a database URL: {error}") from error
    defaults = {key: value for key, value in PARAMETERS.items() if key not in given}
    return {**defaults, "application_name": f"pgflow {name}", "client_encoding": "UTF8"}


def cut_off(conn: Conn) -> None:
    """End a connection that a thread is at work with; the server undoes its transaction.

    Whatever the thread does with it next fails. The thread still has to close it.

    Args:
        conn: The connection, which nobody may close meanwhile.
    """
    with suppress(OSError, DatabaseError):
        _hang_up(conn.fileno())


def cancelling(conn: Conn) -> Callable[[], None]:
    """Return what cancels the statement that a thread waits for, and may take a while itself.

    It comes before `cut_off`: the server would only notice at the statement's end that nobody
    listens, and a pooler forgets whose statement it was as soon as its client has gone.

    Args:
        conn: The connection, which nobody may close meanwhile.
    """
    cancel = conn.pgconn.get_cancel()

    def finish() -> None:
        with suppress(DatabaseError):
            cancel.cancel()

    return finish
