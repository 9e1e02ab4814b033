"""Running the handler of one task, and judging what came of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pgflow_client.worker_protocol import Failure, TaskRow

from pgflow_worker._executors import Executors
from pgflow_worker._faults import Fault, HandlerTimeout, describe
from pgflow_worker._outbox import Outbox
from pgflow_worker._perform import Work, make_context
from pgflow_worker._room import NoRoom
from pgflow_worker._shared_input import SharedInputs
from pgflow_worker.registry import Handler

logger: Final = logging.getLogger("pgflow.worker")


class TaskRunner:
    """Runs handlers and puts their results into the outbox.

    Args:
        outbox: Where results go.
        shared_inputs: Reads what all elements of a map receive.
        executors: Run sync handlers.
        hand_back: Returns a task that was never begun.
    """

    def __init__(
        self,
        outbox: Outbox,
        shared_inputs: SharedInputs,
        executors: Executors,
        hand_back: Callable[[TaskRow], Awaitable[None]],
    ) -> None:
        self._outbox: Final = outbox
        self._shared_inputs: Final = shared_inputs
        self._executors: Final = executors
        self._hand_back: Final = hand_back

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
            if step.is_async:
                context = make_context(step, row, handler.timeout) if step.takes_context else None
                args, kwargs = step.bind(row.input or "null", row.flow_input, shared, context)
                value = await _await(handler, step.fn, args, kwargs)
                output: str | Fault = step.dump_output(value)
            else:
                work = Work(step=step, row=row, shared=shared, timeout=handler.timeout)
                output = await self._executors.run(work)
        # SystemExit and KeyboardInterrupt too: a handler may not end the worker.
        except BaseException as error:
            current = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and current and current.cancelling():
                raise
            if isinstance(error, NoRoom):
                await self._hand_back(row)
            else:
                self._fail(row, describe(error), error)
        else:
            if isinstance(output, Fault):
                self._fail(row, output)
            else:
                self._outbox.add_output(row, output)

    def _fail(self, row: TaskRow, fault: Fault, error: BaseException | None = None) -> None:
        logger.info(
            "attempt %d of step %s of flow %s failed in run %s, task %d: %s",
            row.attempt,
            row.step_slug,
            row.flow_slug,
            row.run_id,
            row.task_index,
            fault.message,
            exc_info=error if logger.isEnabledFor(logging.DEBUG) else None,
        )
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
    except TimeoutError:
        # A handler's own TimeoutError is its business.
        if not scope.expired():
            raise
    raise HandlerTimeout(handler.timeout)
