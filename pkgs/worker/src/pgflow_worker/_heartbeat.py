"""Proving that the worker is alive, from a thread that no handler can hold up."""

import logging
import random
import threading
from collections.abc import Callable
from typing import Final

from pgflow_client.worker_protocol import (
    Conn,
    DatabaseError,
    bounded_transaction,
    connect_briefly,
    heartbeat,
    requeue_stalled_tasks,
)

logger: Final = logging.getLogger("pgflow.worker")

# A statement that hangs longer than a lease would make a living worker look dead.
_STATEMENT_TIMEOUT_MS: Final = 5000


class Heartbeat:
    """Beats, and takes tasks from workers that do not.

    Args:
        conninfo: URL or connection string.
        worker_id: The worker.
        interval: Seconds between two beats.
        on_deprecated: Called from the thread, once, when people have deprecated the worker.
        on_unknown: Called from the thread when the database does not know the worker.
    """

    def __init__(
        self,
        conninfo: str,
        worker_id: str,
        interval: float,
        on_deprecated: Callable[[], None],
        on_unknown: Callable[[], None],
    ) -> None:
        self._conninfo: Final = conninfo
        self._worker_id: Final = worker_id
        self._interval: Final = interval
        self._on_deprecated: Final = on_deprecated
        self._on_unknown: Final = on_unknown
        self._ending: Final = threading.Event()
        self._said_deprecated = False
        self._thread: Final = threading.Thread(
            target=self._run, name="pgflow-heartbeat", daemon=True
        )

    def start(self) -> None:
        """Start beating."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating; returns at once."""
        self._ending.set()

    def _run(self) -> None:
        conn: Conn | None = None
        while not self._ending.wait(self._interval * random.uniform(0.8, 1.0)):
            try:
                if conn is None or conn.closed:
                    conn = connect_briefly(self._conninfo, "heartbeat")
                self._beat(conn)
            except DatabaseError as error:
                logger.warning("a heartbeat did not get through: %s", error)
                if conn is not None:
                    conn.close()
        if conn is not None:
            conn.close()

    def _beat(self, conn: Conn) -> None:
        with bounded_transaction(conn, _STATEMENT_TIMEOUT_MS):
            try:
                deprecated = heartbeat(conn, self._worker_id)
            except DatabaseError as error:
                if error.sqlstate == "PF007":
                    self._on_unknown()
                raise
        if deprecated and not self._said_deprecated:
            self._said_deprecated = True
            self._on_deprecated()
        with bounded_transaction(conn, _STATEMENT_TIMEOUT_MS):
            taken = requeue_stalled_tasks(conn)
        if taken:
            logger.warning("took %d tasks from workers that were lost", taken)
