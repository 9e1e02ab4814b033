"""Transactions of handlers: what one writes, its output, and what follows, or none of it."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from pgflow_client.worker_protocol import (
    AsyncAttemptConnection,
    DatabaseError,
    Outage,
    TaskRow,
    is_transient,
)
from pgflow_dsl.errors import FinalError

from pgflow_worker._faults import HandlerTimeout
from pgflow_worker._room import NoRoom, Room
from pgflow_worker._thread_connection import ThreadConnection
from pgflow_worker._threads import HandlerThreads

# How long a transaction may take to begin and to end, and to be undone, in seconds. The database
# takes a task from its worker 30 s after its timeout.
_LONGEST_BEGINNING: Final = 15.0
_LONGEST_END: Final = 20.0
_LONGEST_UNDOING: Final = 2.0
_FIRST_DELAY: Final = 0.05
# How much longer than its handler may take a transaction may be idle, in seconds.
_IDLE_GRACE: Final = 30
# Classes of errors that lie in a value, such as too deep a nesting.
_VALUE_ERRORS: Final = frozenset({"22", "54"})


class AttemptRefused(Exception):
    """The attempt counts no longer, and what its handler wrote was undone.

    Attributes:
        reason: The status that the task has instead, or that another attempt has it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EndUnknown(Exception):
    """The end of a transaction took too long; whether it was committed is not known."""

    def __init__(self) -> None:
        super().__init__(f"the transaction could not be ended within {_LONGEST_END:g} s")


class AttemptConnection(Protocol):
    """What connections to the database are here, those of the loop and those of threads."""

    @property
    def connection(self) -> Any:
        """The driver's connection, which the handler gets."""

    @property
    def is_usable(self) -> bool:
        """Whether it is open, and nobody is at work with it any more."""
        ...

    async def begin(self, row: TaskRow, idle_seconds: int) -> bool:
        """Begin; return whether the attempt still counts."""
        ...

    async def complete(self, row: TaskRow, output: str) -> str | None:
        """Record the output and commit; return why it was refused, if it was."""

    async def roll_back(self) -> None:
        """Undo all since the beginning."""

    async def close(self) -> None:
        """Close, whatever is going on."""


class Transactions:
    """Lends connections to handlers, which are made as they are needed and used again.

    Args:
        conninfo: URL or connection string.
        count: How many there may be.
        outage: Tells of times without a database.

    Attributes:
        prepares: Whether statements may be prepared.
    """

    def __init__(self, conninfo: str, count: int, outage: Outage) -> None:
        self.prepares = False
        self._conninfo: Final = conninfo
        self._outage: Final = outage
        self._room: Final = Room(count)
        # What the other kind of connection does blocks the thread that asks for it.
        self._threads: Final = HandlerThreads(count, "pgflow-transaction")
        self._idle_on_loop: Final[list[AttemptConnection]] = []
        self._idle_in_threads: Final[list[AttemptConnection]] = []

    async def run(
        self,
        row: TaskRow,
        seconds: float,
        handle: Callable[[AsyncAttemptConnection], Awaitable[str]],
    ) -> None:
        """Run an async handler in a transaction, and record its output in it.

        Args:
            row: The claim.
            seconds: How long the handler may take.
            handle: Called with the connection; returns the output as JSON text.

        Raises:
            NoRoom: No connection was to be had; the handler was not called.
            AttemptRefused: The attempt counts no longer.
            EndUnknown: Whether the output was recorded is not known.
            BaseException: Whatever the handler raised, or what kept its output from being recorded.
        """
        await self._run(row, seconds, handle, self._idle_on_loop, self._open_on_loop)

    async def run_in_thread(
        self, row: TaskRow, seconds: float, handle: Callable[[ThreadConnection], Awaitable[str]]
    ) -> None:
        """Run a sync handler likewise; its thread uses the connection within `use`."""
        await self._run(row, seconds, handle, self._idle_in_threads, self._open_in_thread)

    async def close(self) -> None:
        """Close the connections that nobody uses; those in use are closed when their use ends."""
        for idle in (self._idle_on_loop, self._idle_in_threads):
            while idle:
                await idle.pop().close()
        self._threads.shut_down()

    async def _open_on_loop(self) -> AttemptConnection:
        return await AsyncAttemptConnection.open(self._conninfo, prepares=self.prepares)

    async def _open_in_thread(self) -> AttemptConnection:
        return await ThreadConnection.open(self._threads, self._conninfo, prepares=self.prepares)

    async def _run(
        self,
        row: TaskRow,
        seconds: float,
        handle: Callable[[Any], Awaitable[str]],
        idle: list[AttemptConnection],
        open_another: Callable[[], Awaitable[AttemptConnection]],
    ) -> None:
        await self._room.enter()
        try:
            conn = await self._begin(row, math.ceil(seconds) + _IDLE_GRACE, idle, open_another)
            try:
                output = await handle(conn)
                await _complete(conn, row, output)
            except (asyncio.CancelledError, HandlerTimeout, EndUnknown):
                # It may be in the midst of something, and is closed as it is.
                await conn.close()
                raise
            except BaseException:
                await _undo(conn)
                raise
            finally:
                if conn.is_usable:
                    idle.append(conn)
        finally:
            self._room.leave()

    async def _begin(
        self,
        row: TaskRow,
        idle_seconds: int,
        idle: list[AttemptConnection],
        open_another: Callable[[], Awaitable[AttemptConnection]],
    ) -> AttemptConnection:
        """Begin a transaction, on another connection where one is lost before the handler runs.

        Raises:
            NoRoom: The database could not be reached in time.
            AttemptRefused: The attempt counts no longer.
        """
        delay = _FIRST_DELAY
        try:
            async with asyncio.timeout(_LONGEST_BEGINNING):
                while True:
                    is_new = not idle
                    try:
                        conn = await open_another() if is_new else idle.pop()
                        has_begun = await _has_begun(conn, row, idle_seconds)
                        self._outage.answered()
                        if has_begun:
                            return conn
                    except DatabaseError as error:
                        if not is_transient(error):
                            raise
                        if is_new:
                            self._outage.failed(error)
                    else:
                        await _undo(conn)
                        if conn.is_usable:
                            idle.append(conn)
                        raise AttemptRefused("stale_attempt")
                    if is_new:
                        await asyncio.sleep(delay * random.uniform(0.5, 1.0))
                        delay *= 2
        except TimeoutError:
            raise NoRoom from None


async def _has_begun(conn: AttemptConnection, row: TaskRow, idle_seconds: int) -> bool:
    try:
        return await conn.begin(row, idle_seconds)
    except BaseException:
        await conn.close()
        raise


async def _complete(conn: AttemptConnection, row: TaskRow, output: str) -> None:
    try:
        async with asyncio.timeout(_LONGEST_END):
            refused = await conn.complete(row, output)
    except TimeoutError:
        raise EndUnknown from None
    except DatabaseError as error:
        if error.sqlstate and error.sqlstate[:2] in _VALUE_ERRORS:
            # Another attempt would give the same value.
            raise FinalError(f"the result cannot be stored: {error}") from error
        raise
    if refused is not None:
        raise AttemptRefused(refused)


async def _undo(conn: AttemptConnection) -> None:
    """Roll back, or let the server do so by closing the connection."""
    try:
        async with asyncio.timeout(_LONGEST_UNDOING):
            await conn.roll_back()
    except (TimeoutError, DatabaseError):
        await conn.close()
    except BaseException:
        await conn.close()
        raise
