"""A connection that a thread works with, and that may have to be taken from it."""

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from pgflow_client.worker_protocol import AttemptConnection, TaskRow, cancelling, cut_off
from pgflow_dsl import AttemptCancelled

from pgflow_worker._threads import HandlerThreads

T = TypeVar("T")

# How long a statement may take to be cancelled, in seconds: the server may be gone.
_LONGEST_CANCEL: Final = 2.0


class ThreadConnection:
    """A connection for sync handlers; what is done with it is done in threads.

    Args:
        conn: The connection.
        threads: Threads for what is not the handler's.
    """

    def __init__(self, conn: AttemptConnection, threads: HandlerThreads) -> None:
        self._conn: Final = conn
        self._threads: Final = threads
        self._lock: Final = threading.Lock()
        self._is_in_use = False
        self._is_given_up = False

    @staticmethod
    async def open(threads: HandlerThreads, conninfo: str, *, prepares: bool) -> "ThreadConnection":
        """Open a connection.

        Args:
            threads: Threads for what is not the handler's.
            conninfo: URL or connection string.
            prepares: Whether statements may be prepared.

        Raises:
            DatabaseError: The server cannot be reached.
        """
        opening = _Opening()
        try:
            conn = await threads.run(lambda: opening.open(conninfo, prepares=prepares))
        except BaseException:
            opening.give_up()
            raise
        return ThreadConnection(conn, threads)

    @property
    def connection(self) -> Any:
        """The driver's connection, which the handler gets."""
        return self._conn.connection

    @property
    def is_usable(self) -> bool:
        """Whether it is open, and nobody is at work with it any more."""
        return not self._is_given_up and self._conn.is_usable

    async def begin(self, row: TaskRow, idle_seconds: int) -> bool:
        """Begin; return whether the attempt still counts."""
        return await self._threads.run(
            lambda: self.use(lambda: self._conn.begin(row, idle_seconds))
        )

    async def complete(self, row: TaskRow, output: str) -> str | None:
        """Record the output and commit; return why it was refused, if it was."""
        return await self._threads.run(lambda: self.use(lambda: self._conn.complete(row, output)))

    async def roll_back(self) -> None:
        """Undo all since the beginning."""
        await self._threads.run(lambda: self.use(self._conn.roll_back))

    async def close(self) -> None:
        """Close, or have it closed by the thread that is at work with it, which is cut off."""
        with self._lock:
            if self._is_given_up:
                return
            self._is_given_up = True
            if not self._is_in_use:
                self._conn.close()
                return
            # Under the lock: the thread may not close it meanwhile.
            cancel = cancelling(self._conn.connection)
        threading.Thread(
            target=self._cut_off, args=(cancel,), name="pgflow-cut-off", daemon=True
        ).start()

    def _cut_off(self, cancel: Callable[[], None]) -> None:
        waiting = threading.Thread(target=cancel, name="pgflow-cancel", daemon=True)
        waiting.start()
        waiting.join(_LONGEST_CANCEL)
        with self._lock:
            if self._is_in_use:
                cut_off(self._conn.connection)

    def use(self, call: Callable[[], T]) -> T:
        """Call what works with the connection, in the thread of the caller.

        Raises:
            AttemptCancelled: The connection was given up before.
            BaseException: Whatever the call raises.
        """
        with self._lock:
            if self._is_given_up:
                raise AttemptCancelled("its connection was given up")
            self._is_in_use = True
        try:
            return call()
        finally:
            with self._lock:
                self._is_in_use = False
                if self._is_given_up:
                    self._conn.close()


class _Opening:
    """The opening of a connection that nobody may wait for any more when it is there."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._conn: AttemptConnection | None = None
        self._is_given_up = False

    def open(self, conninfo: str, *, prepares: bool) -> AttemptConnection:
        conn = AttemptConnection.open(conninfo, prepares=prepares)
        with self._lock:
            self._conn = conn
            if self._is_given_up:
                conn.close()
        return conn

    def give_up(self) -> None:
        with self._lock:
            self._is_given_up = True
            if self._conn is not None:
                self._conn.close()
