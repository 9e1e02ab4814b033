"""Further sessions on a test's database, whose calls may have to wait for one another."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import psycopg

from core_sql_support.engine import Engine
from tests.support import until

T = TypeVar("T")


class Session(Engine):
    """An engine on a connection of its own, which opens a transaction with its first call."""

    def __init__(self, url: str, flows: list[str]) -> None:
        super().__init__(psycopg.connect(url))
        self._thread = ThreadPoolExecutor(1)
        self._calls: list[Future[Any]] = []
        self.serve(*flows)
        self.conn.commit()

    def later(self, call: Callable[[], T]) -> Future[T]:
        """Make a call in a thread of the session's own; what it returns comes in a future."""
        made = self._thread.submit(call)
        self._calls.append(made)
        return made

    def commit(self) -> None:
        self.conn.commit()

    def rollback(self) -> None:
        self.conn.rollback()

    def close(self) -> None:
        if not all(call.done() for call in self._calls):
            # The test has failed; whom the call waits for may never end.
            self.conn.cancel_safe()
        self._thread.shutdown()
        self.conn.close()


@contextmanager
def sessions(url: str, quantity: int, flows: list[str]) -> Iterator[list[Session]]:
    """Open sessions for workers that serve some flows, and close them at the end."""
    with ExitStack() as stack:
        opened: list[Session] = []
        for _ in range(quantity):
            session = Session(url, flows)
            stack.callback(session.close)
            opened.append(session)
        yield opened


def is_blocked(observer: psycopg.Connection[Any], *waiting: Session) -> bool:
    """Tell whether every one of these sessions waits for a lock that another holds."""
    row = observer.execute(
        "select count(*) from pg_stat_activity where pid = any(%s) and wait_event_type = 'Lock'",
        ([session.conn.info.backend_pid for session in waiting],),
    ).fetchone()
    return row is not None and row[0] == len(waiting)


def in_turn(
    observer: psycopg.Connection[Any], first: Session, second: Session, call: Callable[[], T]
) -> T:
    """Make a call of the second session that has to wait for what the first has done.

    Args:
        observer: Another connection.
        first: Has called something, and is committed while the second waits for it.
        second: Makes the call, and is committed after it.
        call: The call.
    """
    waiting = second.later(call)
    until(lambda: waiting.done() or is_blocked(observer, second))
    assert not waiting.done(), "the second call did not wait for the first"
    first.commit()
    result = waiting.result(30)
    second.commit()
    return result
