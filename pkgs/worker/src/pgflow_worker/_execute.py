"""Running the handler of one task, and judging what came of it."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from pgflow_client.worker_protocol import AsyncAttemptConnection, Failure, TaskRow
from pgflow_dsl import AnyStep, AttemptCancelled, Surroundings

from pgflow_worker._about import about
from pgflow_worker._attempt import Attempt, current_attempt
from pgflow_worker._executors import Executors
from pgflow_worker._faults import Fault, HandlerTimeout, describe
from pgflow_worker._guard import Guard, cancelled_by
from pgflow_worker._joining import current_headers
from pgflow_worker._observer import Observer
from pgflow_worker._outbox import Outbox
from pgflow_worker._perform import Work, make_context, perform
from pgflow_worker._room import NoRoom
from pgflow_worker._surroundings import Nearby, Reach
from pgflow_worker._thread_connection import ThreadConnection
from pgflow_worker._transactions import AttemptRefused

logger: Final = logging.getLogger("pgflow.worker")

# How long what a handler emitted may take to be stored while its transaction waits, in seconds.
_LONGEST_FINISH: Final = 10.0
_CANCELLATIONS: Final = (asyncio.CancelledError, AttemptCancelled)


class Recorded:
    """Stands for an output that is recorded already."""


RECORDED: Final = Recorded()


class TaskRunner:
    """Runs handlers and puts their results into the outbox.

    Args:
        outbox: Where results go.
        executors: Run sync handlers.
        reach: What handlers reach beside their tasks.
        hand_back: Returns a task that was never begun.
        settle: Told of attempts that have recorded their output themselves, or why they could not.
        observer: Is told how attempts end.
        guard: Knows whether all tasks of the loop were cancelled.
    """

    def __init__(
        self,
        outbox: Outbox,
        executors: Executors,
        reach: Reach,
        hand_back: Callable[[TaskRow], Coroutine[Any, Any, None]],
        settle: Callable[[TaskRow, str | None], None],
        observer: Observer,
        guard: Guard,
    ) -> None:
        self._outbox: Final = outbox
        self._executors: Final = executors
        self._reach: Final = reach
        self.hand_back: Final = hand_back
        self._settle: Final = settle
        self._observer: Final = observer
        self._guard: Final = guard

    async def run(self, attempt: Attempt) -> None:
        """Run the handler for a task and put the result into the outbox.

        Raises:
            asyncio.CancelledError: The worker hands the task back; there is no result.
        """
        row = attempt.row
        current_attempt.set(attempt)
        began = time.perf_counter()
        try:
            if self._observer.tracing is None:
                output = await self._run_to_end(attempt)
            else:
                output = await self._observer.tracing.trace(attempt, self._run_to_end)
        # SystemExit and KeyboardInterrupt too: a handler may not end the worker.
        except BaseException as error:
            if isinstance(error, _CANCELLATIONS) and self._is_over(attempt):
                raise asyncio.CancelledError from None
            if isinstance(error, NoRoom):
                await self.hand_back(row)
            elif isinstance(error, AttemptRefused):
                self._settle(row, error.reason)
            else:
                self._fail(row, describe(error), began)
        else:
            if isinstance(output, Fault):
                self._fail(row, output, began)
                return
            self._observer.completed(row, time.perf_counter() - began)
            if isinstance(output, Recorded):
                self._settle(row, None)
            else:
                self._outbox.add_output(row, output)

    def blame(self, attempt: Attempt) -> None:
        """Fail an attempt whose handler has cancelled all tasks of the loop."""
        self._fail(attempt.row, describe(cancelled_by(attempt)), time.perf_counter())

    def _is_over(self, attempt: Attempt) -> bool:
        """Tell whether the worker, or the end of all tasks, has cancelled an attempt.

        A handler may cancel itself, and others; that fails only their attempts.
        """
        return attempt.is_called_off or self._guard.is_hit

    async def _run_to_end(self, attempt: Attempt) -> str | Fault | Recorded:
        """Run the handler, and see to it that all that it emitted is stored before its end is."""
        try:
            output = await self._run(attempt)
        except BaseException:
            if attempt.stream is not None:
                if self._is_over(attempt):
                    attempt.stream.close()
                else:
                    await attempt.stream.finish()
            raise
        if attempt.stream is not None:
            await attempt.stream.finish()
        return output

    async def _run(self, attempt: Attempt) -> str | Fault | Recorded:
        step, row = attempt.handler.step, attempt.row
        shared = None
        if step.needs_shared_input:
            shared = await self._reach.inputs.shared(row.run_id, row.step_slug)
        if step.is_transactional:
            return await self._run_in_transaction(attempt, shared)
        if not step.is_async:
            return await self._executors.run(await self._work(attempt, shared))
        if step.takes_context:
            return await self._run_on_loop(attempt, shared, await self._work(attempt, shared))
        return await self._run_on_loop(attempt, shared, None)

    async def _run_on_loop(self, attempt: Attempt, shared: str | None, work: Work | None) -> str:
        step, row = attempt.handler.step, attempt.row
        context = make_context(work) if work else None
        args, kwargs = step.bind(row.input or "null", row.flow_input, shared, context)
        value = await _await(attempt, step.fn, args, kwargs)
        return step.dump_output(value)

    async def _run_in_transaction(self, attempt: Attempt, shared: str | None) -> Recorded:
        step, row = attempt.handler.step, attempt.row
        work = await self._work(attempt, shared)
        surroundings = work.surroundings
        # A transactional step has a context, so they are the worker's.
        assert isinstance(surroundings, Nearby)

        async def handle(conn: AsyncAttemptConnection) -> str:
            with surroundings.lending(conn.connection):
                output = await self._run_on_loop(attempt, shared, work)
            return await finish(output)

        async def handle_in_thread(conn: ThreadConnection) -> str:
            with surroundings.lending(conn.connection):
                output = await self._executors.run_in_thread(
                    work, lambda: conn.use(lambda: perform(work))
                )
            return await finish(output)

        async def finish(output: str) -> str:
            # What it emitted is stored before its end is.
            async with asyncio.timeout(_LONGEST_FINISH):
                await surroundings.stream.finish()
            return output

        transactions = self._reach.transactions
        if step.is_async:
            await transactions.run(row, work.timeout, handle)
        else:
            await transactions.run_in_thread(row, work.timeout, handle_in_thread)
        return RECORDED

    async def _work(self, attempt: Attempt, shared: str | None) -> Work:
        step, row = attempt.handler.step, attempt.row
        surroundings = Surroundings()
        if step.takes_context:
            surroundings = Nearby(self._reach, step.flow, row, attempt.cancellation)
            attempt.stream = surroundings.stream
            if _goes_elsewhere(step):
                # From there it cannot be asked for.
                await surroundings.fetch_input_text()
        return Work(
            step=step,
            row=row,
            shared=shared,
            timeout=attempt.handler.timeout,
            cancellation=attempt.cancellation,
            surroundings=surroundings,
            trace=self._trace_of(step),
        )

    def _trace_of(self, step: AnyStep) -> dict[str, str] | None:
        # A thread has the span by its context variables.
        if self._observer.tracing is None or step.executor in (None, "thread"):
            return None
        return current_headers()

    def _fail(self, row: TaskRow, fault: Fault, began: float) -> None:
        self._observer.failed(row, fault, time.perf_counter() - began)
        self._outbox.add_failure(
            Failure(
                row=row,
                message=fault.message,
                is_final=fault.is_final,
                retry_delay=fault.retry_delay,
                error_type=fault.error_type,
                traceback=fault.traceback,
            )
        )


async def _await(
    attempt: Attempt, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
) -> object:
    """Run an async handler on the loop, stopped at its timeout."""
    scope = asyncio.timeout(attempt.handler.timeout)
    try:
        async with scope:
            value = await function(*args, **kwargs)
        if not scope.expired():
            return value
        _warn_of_swallowing(attempt)
    except AttemptCancelled:
        if attempt.is_called_off:
            raise
    except TimeoutError:
        # A handler's own TimeoutError is its business.
        if not scope.expired():
            raise
    raise HandlerTimeout(attempt.handler.timeout)


def _warn_of_swallowing(attempt: Attempt) -> None:
    row = attempt.row
    logger.warning(
        "step %s of flow %s has caught the asyncio.CancelledError of its timeout of %g s in run "
        "%s, task %d, and went on to its end: what it returned is dropped, and the attempt has "
        "failed. Let the error through",
        *(row.step_slug, row.flow_slug, attempt.handler.timeout, row.run_id, row.task_index),
        extra=about(row),
    )


def _goes_elsewhere(step: AnyStep) -> bool:
    """Tell whether a step's handler may run where nothing of this process can be reached."""
    executor = step.executor
    is_own = executor is None or isinstance(executor, str)
    return not is_own and not isinstance(executor, ThreadPoolExecutor)
