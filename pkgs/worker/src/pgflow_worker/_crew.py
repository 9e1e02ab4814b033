"""The handlers that are under way, from the claim of a task until it has a result."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from pgflow_client.worker_protocol import Failure, Link, TaskRow, find_lost_attempts

from pgflow_worker._about import about
from pgflow_worker._attempt import Attempt
from pgflow_worker._execute import TaskRunner
from pgflow_worker._guard import Guard
from pgflow_worker._outbox import Outbox
from pgflow_worker.registry import Registry

logger: Final = logging.getLogger("pgflow.worker")

# How often it is asked whether what is under way still counts, in seconds. Twice that may pass
# before a handler is told, which has just begun: it has to be within two seconds.
_WATCH_INTERVAL: Final = 0.75
# How long handlers have to heed their cancellation, in seconds.
_PATIENCE: Final = 1.0
# What has become of a task that was taken from this worker.
_TAKEN: Final = frozenset({"queued", "stale_attempt"})


class Crew:
    """Runs a handler for each claimed task.

    Args:
        registry: Knows the handlers.
        outbox: Where failures go.
        runner: Runs handlers.
        guard: Knows whether all tasks of the loop were cancelled.
    """

    def __init__(
        self, registry: Registry, outbox: Outbox, runner: TaskRunner, guard: Guard
    ) -> None:
        self._registry: Final = registry
        self._outbox: Final = outbox
        self._runner: Final = runner
        self._guard: Final = guard
        self._tasks: Final[dict[asyncio.Task[None], Attempt]] = {}
        self._given_up: dict[asyncio.Task[None], Attempt] | None = None
        self._not_begun: Final[list[TaskRow]] = []
        self._cut_off: Final[list[Attempt]] = []
        self._unknown: Final[set[tuple[str | None, str]]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, row: TaskRow) -> None:
        """Begin with a claimed task."""
        if self._given_up is not None:
            self._not_begun.append(row)
            return
        handler = self._registry.find(row.flow_slug, row.step_slug)
        if handler is None:
            self._fail_unknown(row)
            return
        attempt = Attempt(handler=handler, row=row)
        self._track(attempt, self._runner.run(attempt))

    def turn_away(self, row: TaskRow) -> None:
        """Hand back a claimed task of a known step that there is no room for."""
        handler = self._registry.find(row.flow_slug, row.step_slug)
        if self._given_up is not None or handler is None:
            self._not_begun.append(row)
        else:
            self._track(Attempt(handler=handler, row=row), self._runner.hand_back(row))

    def find(self, task: asyncio.Task[Any]) -> Attempt | None:
        """Return the attempt that a task of the loop is; safe to call from any thread."""
        return self._tasks.get(task)

    async def watch(self, link: Link, let_go: Callable[[TaskRow], None]) -> None:
        """Cancel, for ever, handlers whose attempts count no longer: run ended, or lease lost.

        Args:
            link: A connection for this alone.
            let_go: Called with each of them.
        """
        while True:
            before = set(self._tasks)
            await asyncio.sleep(_WATCH_INTERVAL)
            # A handler that was there at the last look is worth the question; most are faster.
            rows = [attempt.row for task, attempt in self._tasks.items() if task in before]
            if rows:
                lost = await link.call(partial(find_lost_attempts, rows=rows), insists=True)
                for row in self.stop_lost(lost):
                    let_go(row)

    def stop_lost(self, lost: list[TaskRow]) -> list[TaskRow]:
        """Cancel the handlers of attempts that count no longer; return those that were under way.

        Args:
            lost: The attempts, with the reason in refused.
        """
        reasons = {_key(row): row.refused for row in lost}
        stopped: list[TaskRow] = []
        for task, attempt in self._tasks.items():
            row = attempt.row
            reason = reasons.get(_key(row))
            # One that is done has a result, whose report will be refused.
            if reason is None or task.done():
                continue
            logger.log(
                logging.WARNING if reason in _TAKEN else logging.INFO,
                "stopping step %s in run %s, task %d: %s",
                row.step_slug,
                row.run_id,
                row.task_index,
                reason,
            )
            attempt.call_off(f"the attempt counts no longer: {reason}")
            task.cancel()
            stopped.append(row)
        return stopped

    def give_up(self) -> None:
        """Cancel all handlers, and begin none any more."""
        self._given_up = dict(self._tasks)
        for task, attempt in self._given_up.items():
            attempt.call_off("the worker stops")
            task.cancel()

    async def collect(self) -> list[TaskRow]:
        """Return the tasks that `give_up` left without a result."""
        tasks = self._given_up or {}
        if tasks:
            # A handler that swallows its cancellation does not hold the worker up.
            await asyncio.wait(tasks, timeout=_PATIENCE)
        unfinished = [
            attempt for task, attempt in tasks.items() if not task.done() or task.cancelled()
        ]
        unfinished += self._cut_off
        culprit = self._guard.culprit
        if culprit is not None and culprit in unfinished:
            # It would do the same to the next worker, and to every other.
            unfinished.remove(culprit)
            self._runner.blame(culprit)
        return [attempt.row for attempt in unfinished] + self._not_begun

    def _track(self, attempt: Attempt, run: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(run)
        self._tasks[task] = attempt
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        attempt = self._tasks.pop(task)
        if task.cancelled() and not attempt.is_called_off:
            # With all tasks of the loop; the worker is about to end.
            self._cut_off.append(attempt)

    def _fail_unknown(self, row: TaskRow) -> None:
        """Fail a task that there is no handler for, and say so the first time."""
        unknown = f"the worker's code has no step {row.step_slug} in flow {row.flow_slug}"
        self._outbox.add_failure(Failure(row=row, message=unknown))
        if (row.flow_slug, row.step_slug) not in self._unknown:
            self._unknown.add((row.flow_slug, row.step_slug))
            logger.warning(
                "%s, but the database has: a newer program has defined it. Its tasks fail here; "
                "replace this worker with one that runs the newer code",
                unknown,
                extra=about(row),
            )


def _key(row: TaskRow) -> tuple[str, str, int, int]:
    return row.run_id, row.step_slug, row.task_index, row.attempt
