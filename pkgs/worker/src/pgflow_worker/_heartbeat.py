"""Proving that the worker is alive, from a thread that no handler can hold up."""

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pgflow_client.worker_protocol import (
    Conn,
    DatabaseError,
    Outage,
    bounded_transaction,
    connect_briefly,
    heartbeat,
    requeue_stalled_tasks,
)

logger: Final = logging.getLogger("pgflow.worker")

# A beat that hangs longer than this would not come in time any more.
_LONGEST_BEAT_MS: Final = 5000
# Tasks that are taken from lost workers in one sweep. Where so many take too long, fewer are tried.
_LARGEST_SWEEP: Final = 1000
_TOOK_TOO_LONG: Final = "57014"
# How long a stopping worker waits for the thread, in seconds.
_LONGEST_END: Final = 2.0


class Heartbeat:
    """Beats, and takes tasks from workers that do not.

    Args:
        conninfo: URL or connection string.
        worker_id: The worker.
        interval: Seconds between two beats.
        lease: Seconds without a beat after which a worker counts as lost.
        on_deprecated: Called from the thread, once, when people have deprecated the worker.
        on_unknown: Called from the thread when the database does not know the worker.
        outage: Told of beats that do not get through; None for one of its own.

    Attributes:
        beaten_at: When the last beat got through, by the monotonic clock; None before the first.
    """

    def __init__(
        self,
        conninfo: str,
        worker_id: str,
        interval: float,
        lease: float,
        on_deprecated: Callable[[], object],
        on_unknown: Callable[[], object],
        outage: Outage | None = None,
    ) -> None:
        self._conninfo: Final = conninfo
        self._worker_id: Final = worker_id
        self._interval: Final = interval
        self._lease: Final = lease
        # A sweep must not make the next beat so late that this worker looks lost itself.
        # After a longer one of its own, a worker that was silent as long may be as well as it is.
        self._longest_silence: Final = lease - 2 * interval
        spare_ms = int(self._longest_silence * 1000)
        self._longest_sweep_ms: Final = min(max(spare_ms, 100), _LONGEST_BEAT_MS)
        self._sweep: int = _LARGEST_SWEEP
        self._patient_until = 0.0
        self.beaten_at: float | None = None
        self._started_at = 0.0
        self._on_deprecated: Final = on_deprecated
        self._on_unknown: Final = on_unknown
        self._outage: Final = outage or Outage()
        self._ending: Final = threading.Event()
        self._said_deprecated = False
        self._loop: asyncio.AbstractEventLoop
        self._ended: asyncio.Event
        self._thread: Final = threading.Thread(
            target=self._run, name="pgflow-heartbeat", daemon=True
        )

    def start(self) -> None:
        """Start beating, for a worker that has just registered."""
        self._started_at = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._thread.start()

    async def stop(self) -> None:
        """Stop beating; a beat that hangs is left behind."""
        self._ending.set()
        try:
            async with asyncio.timeout(_LONGEST_END):
                await self._ended.wait()
        except TimeoutError:
            logger.warning("a heartbeat hangs, and is left behind")

    def _run(self) -> None:
        conn: Conn | None = None
        while not self._ending.wait(self._interval * random.uniform(0.8, 1.0)):
            try:
                if conn is None or conn.closed:
                    conn = connect_briefly(self._conninfo, "heartbeat")
                self._beat(conn)
            # Whatever it is: a worker whose heartbeats end is taken for dead.
            except DatabaseError as error:
                self._outage.failed(error)
                _close(conn)
            except Exception as error:
                logger.warning("a heartbeat did not get through: %s", error)
                _close(conn)
        _close(conn)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ended.set)

    def _beat(self, conn: Conn) -> None:
        with bounded_transaction(conn, _LONGEST_BEAT_MS):
            try:
                deprecated = heartbeat(conn, self._worker_id)
            except DatabaseError as error:
                if error.sqlstate == "PF007":
                    self._on_unknown()
                raise
        self._note_beat()
        if deprecated and not self._said_deprecated:
            self._said_deprecated = True
            self._on_deprecated()
        if time.monotonic() >= self._patient_until:
            self._take_from_the_lost(conn)

    def _note_beat(self) -> None:
        now = time.monotonic()
        silence = now - (self._started_at if self.beaten_at is None else self.beaten_at)
        if silence > self._lease:
            logger.warning(
                "no heartbeat got through for %.1f s, longer than the lease of %g s: others may "
                "have taken what this worker was at, whose results are refused then",
                silence,
                self._lease,
            )
        if silence > self._longest_silence:
            # All workers were cut off, perhaps, or the machine slept: they get the time to say
            # that they live.
            self._patient_until = now + self._lease
        self.beaten_at = now

    def _take_from_the_lost(self, conn: Conn) -> None:
        try:
            with bounded_transaction(conn, self._longest_sweep_ms):
                taken = requeue_stalled_tasks(conn, self._sweep)
        except DatabaseError as error:
            if error.sqlstate != _TOOK_TOO_LONG:
                raise
            logger.warning("taking %d tasks from lost workers takes too long", self._sweep)
            self._sweep = max(self._sweep // 10, 1)
            return
        self._sweep = min(self._sweep * 10, _LARGEST_SWEEP)
        if taken:
            logger.warning(
                "took %d %s from workers that were lost", taken, "task" if taken == 1 else "tasks"
            )


def _close(conn: Conn | None) -> None:
    if conn is not None:
        conn.close()
