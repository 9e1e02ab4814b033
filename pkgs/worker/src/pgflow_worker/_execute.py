"""Running the handler of one task, and judging what came of it."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Final

from pgflow_client.worker_protocol import Failure, TaskRow
from pgflow_dsl import AnyStep, AttemptCancelled, Surroundings

from pgflow_worker._attempt import Attempt, current_attempt
from pgflow_worker._executors import Executors
from pgflow_worker._faults import Fault, HandlerTimeout, describe
from pgflow_worker._joining import current_headers
from pgflow_worker._observer import Observer
from pgflow_worker._outbox import Outbox
from pgflow_worker._perform import Work, make_context
from pgflow_worker._room import NoRoom
from pgflow_worker._surroundings import Nearby, Reach
from pgflow_worker.registry import Handler

_CANCELLATIONS: Final = (asyncio.CancelledError, AttemptCancelled)


class TaskRunner:
    """Runs handlers and puts their results into the outbox.

    Args:
        outbox: Where results go.
        executors: Run sync handlers.
        reach: What handlers reach beside their tasks.
        hand_back: Returns a task that was never begun.
        observer: Is told how attempts end.
    """

    def __init__(
        self,
        outbox: Outbox,
        executors: Executors,
        reach: Reach,
        hand_back: Callable[[TaskRow], Coroutine[Any, Any, None]],
        observer: Observer,
    ) -> None:
        self._outbox: Final = outbox
        self._executors: Final = executors
        self._reach: Final = reach
        self.hand_back: Final = hand_back
        self._observer: Final = observer

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
            if isinstance(error, _CANCELLATIONS) and _is_cancelled():
                raise asyncio.CancelledError from None
            if isinstance(error, NoRoom):
                await self.hand_back(row)
            else:
                self._fail(row, describe(error), began, error)
        else:
            if isinstance(output, Fault):
                self._fail(row, output, began)
            else:
                self._observer.completed(row, time.perf_counter() - began)
                self._outbox.add_output(row, output)

    async def _run_to_end(self, attempt: Attempt) -> str | Fault:
        """Run the handler, and see to it that all that it emitted is stored before its end is."""
        try:
            output = await self._run(attempt)
        except BaseException:
            if attempt.stream is not None:
                if _is_cancelled():
                    attempt.stream.close()
                else:
                    await attempt.stream.finish()
            raise
        if attempt.stream is not None:
            await attempt.stream.finish()
        return output

    async def _run(self, attempt: Attempt) -> str | Fault:
        step, row = attempt.handler.step, attempt.row
        shared = None
        if step.needs_shared_input:
            shared = await self._reach.inputs.shared(row.run_id, row.step_slug)
        if not step.is_async:
            return await self._executors.run(await self._work(attempt, shared))
        context = None
        if step.takes_context:
            context = make_context(await self._work(attempt, shared))
        args, kwargs = step.bind(row.input or "null", row.flow_input, shared, context)
        value = await _await(attempt.handler, step.fn, args, kwargs)
        return step.dump_output(value)

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

    def _fail(
        self, row: TaskRow, fault: Fault, began: float, error: BaseException | None = None
    ) -> None:
        self._observer.failed(row, fault, time.perf_counter() - began, error)
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
    handler: Handler, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
) -> object:
    """Run an async handler on the loop, stopped at its timeout."""
    scope = asyncio.timeout(handler.timeout)
    try:
        async with scope:
            return await function(*args, **kwargs)
    except AttemptCancelled:
        if _is_cancelled():
            raise
    except TimeoutError:
        # A handler's own TimeoutError is its business.
        if not scope.expired():
            raise
    raise HandlerTimeout(handler.timeout)


def _goes_elsewhere(step: AnyStep) -> bool:
    """Tell whether a step's handler may run where nothing of this process can be reached."""
    executor = step.executor
    return isinstance(executor, Executor) and not isinstance(executor, ThreadPoolExecutor)


def _is_cancelled() -> bool:
    """Tell whether the worker, and not a handler, has cancelled what runs here."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0
