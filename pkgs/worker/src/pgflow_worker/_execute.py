"""Running one handler for one task, and judging what came of it."""

import asyncio
import logging
import math
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from pgflow_client.worker_protocol import Failure, TaskRow
from pgflow_dsl import Context
from pgflow_dsl.errors import DataInvalid, FinalError, RetryAfter

from pgflow_worker._outbox import Outbox
from pgflow_worker._shared_input import SharedInputs
from pgflow_worker.registry import Handler

logger: Final = logging.getLogger("pgflow.worker")
task_logger: Final = logging.getLogger("pgflow.task")


# For handlers that take none, which is most of them: making one costs more than the rest of a call.
_NO_CONTEXT: Final = cast("Context", None)


class HandlerTimeout(Exception):
    """An attempt took longer than its step allows."""


class TaskRunner:
    """Runs handlers and puts their results into the outbox.

    Args:
        outbox: Where results go.
        shared_inputs: Reads what all elements of a map receive.
        executors: Executors by name, `thread` and `process`.
    """

    def __init__(
        self, outbox: Outbox, shared_inputs: SharedInputs, executors: Mapping[str, Executor]
    ) -> None:
        self._outbox: Final = outbox
        self._shared_inputs: Final = shared_inputs
        self._executors: Final = executors

    async def run(self, handler: Handler, row: TaskRow) -> None:
        """Run the handler for a task and put the result into the outbox.

        Raises:
            asyncio.CancelledError: The worker hands the task back; there is no result.
        """
        step = handler.step
        try:
            shared = None
            if step.needs_shared_input:
                shared = await self._shared_inputs.get(row.run_id, row.step_slug)
            context = _context(row, handler) if step.takes_context else _NO_CONTEXT
            args, kwargs = step.bind(row.input or "null", row.flow_input, shared, context)
            if step.is_async:
                value = await _await(handler, step.fn, args, kwargs)
            else:
                value = await self._call(handler, row, args, kwargs)
            output = step.dump_output(value)
        # SystemExit and KeyboardInterrupt too: a handler may not end the worker.
        except BaseException as error:
            current = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and current and current.cancelling():
                raise
            self._fail(row, error)
        else:
            self._outbox.add_output(row, output)

    async def _call(
        self, handler: Handler, row: TaskRow, args: list[Any], kwargs: dict[str, Any]
    ) -> object:
        """Run a sync handler in its executor; the code itself cannot be stopped."""
        step = handler.step
        chosen = step.executor or "thread"
        executor = self._executors[chosen] if isinstance(chosen, str) else chosen
        function: Callable[..., object] = step.fn
        if chosen != "thread":
            # Pickled by name: the other process finds the function in its own copy of the module.
            function = step
        work = _Call(function, args, kwargs)
        call = executor.submit(work)
        future = asyncio.wrap_future(call)
        left = handler.timeout
        while left > 0:
            done, _ = await asyncio.wait({future}, timeout=left)
            if done:
                return future.result()
            left = work.time_left(handler.timeout, call.running())
        # What comes of it is nobody's business any more, an exception neither.
        future.cancel()
        if call.running():
            logger.warning(
                "step %s of flow %s is past its timeout of %g s in run %s, but a %s cannot be "
                "stopped: it goes on and its result is dropped",
                step.slug,
                step.flow.slug,
                handler.timeout,
                row.run_id,
                chosen,
            )
        raise HandlerTimeout(f"the attempt took longer than its timeout of {handler.timeout:g} s")

    def _fail(self, row: TaskRow, error: BaseException) -> None:
        delay = None
        if isinstance(error, RetryAfter):
            delay = math.ceil(error.delay.total_seconds())
        is_final = isinstance(error, FinalError | DataInvalid)
        message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        logger.info(
            "attempt %d of step %s of flow %s failed in run %s, task %d: %s",
            row.attempt,
            row.step_slug,
            row.flow_slug,
            row.run_id,
            row.task_index,
            message,
            exc_info=error if logger.isEnabledFor(logging.DEBUG) else None,
        )
        self._outbox.add_failure(
            Failure(
                row=row,
                message=message,
                is_final=is_final,
                retry_delay=delay,
                error_type=type(error).__name__,
                traceback="".join(traceback.format_exception(error)),
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
    except TimeoutError:
        # A handler's own TimeoutError is its business.
        if not scope.expired():
            raise
    raise HandlerTimeout(f"the attempt took longer than its timeout of {handler.timeout:g} s")


class _Call:
    """A call with its arguments, which survives being pickled."""

    __slots__ = ("_args", "_began", "_function", "_kwargs")

    def __init__(
        self, function: Callable[..., object], args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._began: float | None = None

    def time_left(self, timeout: float, is_running: bool) -> float:
        """Return the seconds that the call may go on; waiting for its turn does not count."""
        if self._began is not None:
            return self._began + timeout - time.monotonic()
        # In another process, when it began is not known here.
        return 0 if is_running else timeout

    def __call__(self) -> object:
        self._began = time.monotonic()
        return self._function(*self._args, **self._kwargs)


def _context(row: TaskRow, handler: Handler) -> Context:
    return Context(
        run_id=UUID(row.run_id),
        flow_slug=handler.step.flow.slug,
        step_slug=row.step_slug,
        task_index=row.task_index,
        attempt=row.attempt,
        deadline=datetime.now(UTC) + timedelta(seconds=handler.timeout),
        logger=logging.LoggerAdapter(
            task_logger,
            {"run_id": row.run_id, "step_slug": row.step_slug, "task_index": row.task_index},
        ),
    )
