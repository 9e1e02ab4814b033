"""Running a sync handler where it is to run: in a thread, a process, or on another machine."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from pgflow_client.worker_protocol import TaskRow
from pgflow_dsl import AnyStep, AttemptCancelled, Cancellation, Context, Surroundings

from pgflow_worker._about import about
from pgflow_worker._faults import HandlerTimeout
from pgflow_worker._joining import joined_trace

task_logger: Final = logging.getLogger("pgflow.task")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A task with its handler. All of it can be pickled: text, names, and what stays behind.

    Attributes:
        step: The step; pickled by name, another process has it from its own copy of the module.
        row: The claim.
        shared: What all elements of the map receive, as JSON text.
        timeout: Longest time of the attempt, in seconds.
        cancellation: Tells the handler that its attempt counts no longer, in this process.
        surroundings: What its context reaches.
        trace: Headers of the span that it belongs to, where it goes to another process and somebody
            takes spans.
    """

    step: AnyStep
    row: TaskRow
    shared: str | None
    timeout: float
    cancellation: Cancellation
    surroundings: Surroundings
    trace: Mapping[str, str] | None = None


def perform(work: Work) -> str:
    """Run the handler and return its output as JSON text.

    Raises:
        BaseException: Whatever the handler raises.
        DataInvalid: What it is to receive, or what it returned, does not fit.
    """
    step, row = work.step, work.row
    context = make_context(work) if step.takes_context else None
    args, kwargs = step.bind(row.input or "null", row.flow_input, work.shared, context)
    try:
        with joined_trace(work.trace):
            value = step.fn(*args, **kwargs)
    except StopIteration as error:
        # A future cannot carry it; async handlers have it turned into the same.
        raise RuntimeError("the handler raised StopIteration") from error
    except AttemptCancelled:
        # If it was for another reason, nobody looks at what came of it.
        raise HandlerTimeout(work.timeout) from None
    return step.dump_output(value)


def make_context(work: Work) -> Context:
    """Return the context of an attempt that begins now."""
    row = work.row
    deadline = datetime.now(UTC) + timedelta(seconds=work.timeout)
    work.cancellation.expire_at(deadline)
    return Context(
        run_id=UUID(row.run_id),
        flow_slug=work.step.flow.slug,
        step_slug=row.step_slug,
        task_index=row.task_index,
        attempt=row.attempt,
        deadline=deadline,
        logger=logging.LoggerAdapter(
            task_logger,
            about(row),
        ),
        cancelled=work.cancellation,
        surroundings=work.surroundings,
    )
