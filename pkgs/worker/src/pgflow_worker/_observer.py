"""What a worker tells of itself: its log, and where somebody takes them, metrics and spans."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from pgflow_client.worker_protocol import (
    DatabaseError,
    Link,
    Reports,
    TaskRow,
    get_alert_figures,
    get_queue_depth,
)

from pgflow_worker._about import about
from pgflow_worker._aftermath import Aftermath
from pgflow_worker._faults import Fault
from pgflow_worker._meters import find_meters, has_tracer_provider
from pgflow_worker._metrics import Metrics
from pgflow_worker._tracebacks import Tracebacks
from pgflow_worker._tracing import TraceContexts, Tracing
from pgflow_worker.options import WorkerOptions

logger: Final = logging.getLogger("pgflow.worker")

# Seconds between two looks at the queue, and how many times as long as a look they are at least:
# counting a long queue is work.
_LOOK_INTERVAL: Final = 15.0
_LOOK_SHARE: Final = 20.0


class Observer:
    """Sees what happens in a worker. Where nobody wants to know, it does next to nothing.

    Args:
        worker_id: The worker.
        flow_slugs: The flows it serves.
        options: How it behaves.
        make_link: Makes a connection, by what it is for.

    Attributes:
        metrics: Counts; None where nobody takes them.
        tracing: Makes spans; None where nobody takes them.
    """

    def __init__(
        self,
        worker_id: str,
        flow_slugs: Sequence[str],
        options: WorkerOptions,
        make_link: Callable[[str], Link],
    ) -> None:
        self._flow_slugs: Final = flow_slugs
        self._make_link: Final = make_link
        meters = find_meters(prometheus=options.prometheus)
        self.metrics: Final = Metrics(meters) if meters else None
        self.tracing: Final = (
            Tracing(worker_id, TraceContexts(make_link("traces")))
            if has_tracer_provider()
            else None
        )
        self._tracebacks: Final = Tracebacks()
        self._aftermath: Final = Aftermath(self.metrics, self._tracebacks)

    async def run(self, link: Link) -> None:
        """Tell what becomes of failures, and how much waits, for ever."""
        if self.metrics is None:
            await self._aftermath.run(link)
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._aftermath.run(link))
            group.create_task(self._look(self.metrics))

    async def tell_last(self, link: Link) -> None:
        """Tell what became of the failures that were reported last."""
        await self._aftermath.tell(link)

    async def close(self) -> None:
        """End what is being read."""
        if self.tracing is not None:
            await self.tracing.close()

    def claimed(self, rows: Sequence[TaskRow], held: int) -> None:
        """Take in what one claim brought, and how many tasks the worker holds now."""
        if self.metrics is not None:
            if rows:
                self.metrics.claimed(rows)
            self.metrics.holds(held)

    def reported(self, reports: Reports, refused: Sequence[TaskRow]) -> None:
        """Take in what one report brought in."""
        if reports.failures:
            self._aftermath.add(reports.failures)
        if self.metrics is not None:
            keys = {row.key for row in refused}
            completed = [row for row in reports.completed if row.key not in keys]
            self.metrics.reported(len(reports), completed, len(refused))

    def completed(self, row: TaskRow, seconds: float) -> None:
        """Take in how long an attempt took that has an output."""
        if self.metrics is not None:
            self.metrics.ended(row, "completed", seconds)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "attempt %d of step %s of flow %s has completed in run %s, task %d, after %.3f s",
                *(row.attempt, row.step_slug, row.flow_slug, row.run_id, row.task_index, seconds),
                extra=about(row, duration=round(seconds, 6)),
            )

    def failed(self, row: TaskRow, fault: Fault, seconds: float) -> None:
        """Take in how long an attempt took that failed, and how it did."""
        if self.metrics is not None:
            self.metrics.ended(row, "failed", seconds)
        subjects = (row.attempt, row.step_slug, row.flow_slug, row.run_id, row.task_index, seconds)
        self._tracebacks.log(
            logging.INFO,
            "attempt %d of step %s of flow %s failed in run %s, task %d, after %.3f s: %s",
            (*subjects, fault.message),
            row=row,
            traceback=fault.traceback,
            extra=about(row, duration=round(seconds, 6)),
        )

    async def _look(self, metrics: Metrics) -> None:
        """Look at the queue, for ever."""
        link = self._make_link("queue depth")
        loop = asyncio.get_running_loop()
        try:
            while True:
                began = loop.time()
                try:
                    rows = await link.call(lambda conn: get_queue_depth(conn, self._flow_slugs))
                    metrics.looked(rows, await link.call(get_alert_figures))
                except DatabaseError as error:
                    logger.warning("the queue's depth cannot be read: %s", error)
                await asyncio.sleep(max(_LOOK_INTERVAL, _LOOK_SHARE * (loop.time() - began)))
        finally:
            await link.close()
