"""Running a sync handler where it is to run: in a thread, a process, or on another machine."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from pgflow_client.worker_protocol import TaskRow
from pgflow_dsl import AnyStep, Context

task_logger: Final = logging.getLogger("pgflow.task")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A task with its handler. All of it is text and names, so it can be pickled.

    Attributes:
        step: The step; pickled by name, another process has it from its own copy of the module.
        row: The claim.
        shared: What all elements of the map receive, as JSON text.
        timeout: Longest time of the attempt, in seconds.
    """

    step: AnyStep
    row: TaskRow
    shared: str | None
    timeout: float


def perform(work: Work) -> str:
    """Run the handler and return its output as JSON text.

    Raises:
        BaseException: Whatever the handler raises.
        DataInvalid: What it is to receive, or what it returned, does not fit.
    """
    step, row = work.step, work.row
    context = make_context(step, row, work.timeout) if step.takes_context else None
    args, kwargs = step.bind(row.input or "null", row.flow_input, work.shared, context)
    try:
        value = step.fn(*args, **kwargs)
    except StopIteration as error:
        # A future cannot carry it; async handlers have it turned into the same.
        raise RuntimeError("the handler raised StopIteration") from error
    return step.dump_output(value)


def make_context(step: AnyStep, row: TaskRow, timeout: float) -> Context:
    """Return the context of an attempt that begins now."""
    return Context(
        run_id=UUID(row.run_id),
        flow_slug=step.flow.slug,
        step_slug=row.step_slug,
        task_index=row.task_index,
        attempt=row.attempt,
        deadline=datetime.now(UTC) + timedelta(seconds=timeout),
        logger=logging.LoggerAdapter(
            task_logger,
            {"run_id": row.run_id, "step_slug": row.step_slug, "task_index": row.task_index},
        ),
    )
