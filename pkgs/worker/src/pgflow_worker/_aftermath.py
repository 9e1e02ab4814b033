"""What becomes of failed attempts: whether and when they are tried again."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from pgflow_client.worker_protocol import DatabaseError, Failure, Link, find_retries

from pgflow_worker._about import about
from pgflow_worker._metrics import Metrics
from pgflow_worker._tracebacks import Tracebacks

logger: Final = logging.getLogger("pgflow.worker")

# Failures that wait to be asked about; beyond it the oldest are passed over.
_MOST: Final = 10_000


class Aftermath:
    """Asks the database what became of failures, and tells it to the log and the metrics.

    The retry's time is the database's: it knows the step's options, and adds jitter.

    Args:
        metrics: Counts; None where nobody takes them.
        tracebacks: Shows those of failures.
    """

    def __init__(self, metrics: Metrics | None, tracebacks: Tracebacks) -> None:
        self._metrics: Final = metrics
        self._tracebacks: Final = tracebacks
        self._failures: list[Failure] = []
        self._filled: Final = asyncio.Event()
        self._turn: Final = asyncio.Lock()

    def add(self, failures: Iterable[Failure]) -> None:
        """Take in failures that were reported just now."""
        if self._metrics is None and not logger.isEnabledFor(logging.WARNING):
            return
        self._failures = [*self._failures, *failures][-_MOST:]
        self._filled.set()

    async def run(self, link: Link) -> None:
        """Ask for ever."""
        while True:
            await self._filled.wait()
            await self.tell(link)

    async def tell(self, link: Link) -> None:
        """Ask about what has been taken in."""
        async with self._turn:
            failures, self._failures = self._failures, []
            self._filled.clear()
            if failures:
                await self._ask(link, failures)

    async def _ask(self, link: Link, failures: list[Failure]) -> None:
        rows = [failure.row for failure in failures]
        try:
            retries = await link.call(lambda conn: find_retries(conn, rows))
        except DatabaseError as error:
            logger.warning("what becomes of %d failures cannot be read: %s", len(rows), error)
            return
        known = {failure.row.key: failure for failure in failures}
        for retry in retries:
            self._tell(known[retry.key], retry.retry_in)

    def _tell(self, failure: Failure, retry_in: float | None) -> None:
        row = failure.row
        if self._metrics is not None:
            self._metrics.judged(row, is_retried=retry_in is not None)
        if retry_in is None:
            subjects = (row.step_slug, row.flow_slug, row.run_id, row.task_index, row.attempt)
            # At that level the log has it from the failure itself.
            has_shown_it = logger.isEnabledFor(logging.INFO)
            self._tracebacks.log(
                logging.WARNING,
                "step %s of flow %s is not tried again in run %s, task %d, after attempt %d: %s",
                (*subjects, failure.message),
                row=row,
                traceback=None if has_shown_it else failure.traceback,
                extra=about(row),
            )
        else:
            seconds = max(retry_in, 0.0)
            logger.info(
                "step %s of flow %s is tried again in run %s, task %d, in %.1f s",
                *(row.step_slug, row.flow_slug, row.run_id, row.task_index, seconds),
                extra=about(row, retry_in=round(seconds, 3)),
            )
