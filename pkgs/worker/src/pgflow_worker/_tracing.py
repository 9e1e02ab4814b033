"""Spans of attempts, as children of the span that started the run."""

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from pgflow_client.worker_protocol import DatabaseError, Link, get_trace_contexts
from pgflow_dsl import AttemptCancelled

from pgflow_worker._attempt import Attempt
from pgflow_worker._faults import Fault, describe
from pgflow_worker._room import NoRoom

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

T = TypeVar("T")

logger: Final = logging.getLogger("pgflow.worker")

_KEPT: Final = 1000


class TraceContexts:
    """Reads the trace contexts of runs, all that are asked for at once in one query.

    Args:
        link: The connection to read with, which nobody else uses.
    """

    def __init__(self, link: Link) -> None:
        self._link: Final = link
        self._kept: Final[OrderedDict[str, str | None]] = OrderedDict()
        self._wanted: dict[str, asyncio.Future[str | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, run_id: str) -> str | None:
        """Return the trace context of a run as JSON text; None where it has none."""
        if run_id in self._kept:
            self._kept.move_to_end(run_id)
            return self._kept[run_id]
        future = self._wanted.get(run_id)
        if future is None:
            future = self._wanted[run_id] = asyncio.get_running_loop().create_future()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        # Who is cancelled does not take the answer from the others.
        return await asyncio.shield(future)

    async def close(self) -> None:
        """End what is being read, and close the connection."""
        reading = self._reading
        while reading is not None and not reading.done():
            reading.cancel()
            await asyncio.wait({reading}, timeout=1)
        await self._link.close()

    async def _read(self) -> None:
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            found: dict[str, str] = {}
            try:
                found = await self._link.call(partial(get_trace_contexts, run_ids=list(wanted)))
            except DatabaseError as error:
                # A task without its trace is better than none.
                logger.warning("the traces of %d runs cannot be read: %s", len(wanted), error)
            except asyncio.CancelledError:
                for future in wanted.values():
                    future.cancel()
                raise
            for run_id, future in wanted.items():
                self._kept[run_id] = found.get(run_id)
                if not future.done():
                    future.set_result(found.get(run_id))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


class Tracing:
    """Makes a span of each attempt.

    Args:
        worker_id: The worker.
        contexts: Reads what runs were started in.
    """

    def __init__(self, worker_id: str, contexts: TraceContexts) -> None:
        from opentelemetry import trace

        self._worker_id: Final = worker_id
        self._contexts: Final = contexts
        self._tracer: Final = trace.get_tracer("pgflow.worker")

    async def trace(self, attempt: Attempt, run: Callable[[Attempt], Awaitable[T]]) -> T:
        """Run an attempt in a span of its own, which is the current one for the handler."""
        from opentelemetry.trace import SpanKind

        row = attempt.row
        with self._tracer.start_as_current_span(
            f"process {row.flow_slug}.{row.step_slug}",
            context=_context_of(await self._contexts.get(row.run_id)),
            kind=SpanKind.CONSUMER,
            attributes=self._attributes(attempt),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                output = await run(attempt)
            except (asyncio.CancelledError, AttemptCancelled, NoRoom):
                span.set_attribute("pgflow.outcome", "released")
                raise
            except BaseException as error:
                span.record_exception(error)
                _tell_fault(span, describe(error))
                raise
            if isinstance(output, Fault):
                _tell_fault(span, output)
            return output

    async def close(self) -> None:
        """End what is being read."""
        await self._contexts.close()

    def _attributes(self, attempt: Attempt) -> dict[str, str | int]:
        row, step = attempt.row, attempt.handler.step
        return {
            "messaging.system": "pgflow",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.destination.name": row.flow_slug or "",
            "messaging.message.conversation_id": row.run_id,
            "messaging.client.id": self._worker_id,
            "code.function.name": f"{step.fn.__module__}.{step.__qualname__}",
            "pgflow.flow_slug": row.flow_slug or "",
            "pgflow.run_id": row.run_id,
            "pgflow.step_slug": row.step_slug,
            "pgflow.task_index": row.task_index,
            "pgflow.attempt": row.attempt,
        }


def _context_of(text: str | None) -> "Context":
    """Return the context that headers tell of, and nothing of what the worker runs in."""
    from opentelemetry.context import Context
    from opentelemetry.propagate import extract

    return extract(json.loads(text), Context()) if text else Context()


def _tell_fault(span: "Span", fault: Fault) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", fault.error_type)
    span.set_status(Status(StatusCode.ERROR, fault.message))
