"""The SQL functions that start runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from pgflow_client._functions.call import Call, Rows
from pgflow_client._tracing import current_trace_context
from pgflow_client.progress import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

__all__ = ["StartOptions", "StartedRow", "start_flow", "start_flows"]

_START_FLOW: Final = """
select run.run_id, run.status, run.reopened_count
from pgflow.start_flow(
  flow_slug => %(flow_slug)s::text, input => %(input)s::jsonb, run_id => %(run_id)s::uuid,
  priority => %(priority)s::int, idempotency_key => %(idempotency_key)s::text,
  key_lifetime => %(key_lifetime)s::interval, tags => %(tags)s::jsonb,
  delay => %(delay)s::interval, trace_context => %(trace_context)s::jsonb
) as run
"""
_START_FLOWS: Final = """
select started.run_id
from pgflow.start_flows(
  flow_slug => %(flow_slug)s::text, inputs => %(inputs)s::jsonb[],
  run_ids => %(run_ids)s::uuid[], priority => %(priority)s::int, tags => %(tags)s::jsonb,
  delay => %(delay)s::interval, trace_context => %(trace_context)s::jsonb,
  idempotency_keys => %(idempotency_keys)s::text[], key_lifetime => %(key_lifetime)s::interval
) as started (run_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """What a start says of all its runs.

    Attributes:
        priority: Runs with a higher priority have their tasks claimed first.
        tags: JSON text of an object to find the runs by; None is none.
        delay: How long no task of the runs may be claimed; None is no delay.
        key_lifetime: How long idempotency keys stand for the runs; None is as long as these exist.
    """

    priority: int
    tags: str | None
    delay: timedelta | None
    key_lifetime: timedelta | None

    def arguments(self) -> dict[str, Any]:
        """Return them as values of placeholders, with the trace that goes on in the runs."""
        return {
            "priority": self.priority,
            "tags": self.tags,
            "delay": self.delay,
            "key_lifetime": self.key_lifetime,
            "trace_context": current_trace_context(),
        }


class StartedRow(NamedTuple):
    """A run that was just started, or that its key had started before.

    Attributes:
        run_id: Its id.
        state: Its status; a run may end in the very call that starts it.
    """

    run_id: UUID
    state: RunState


def start_flow(
    flow_slug: str, input: str, run_id: UUID | None, key: str | None, options: StartOptions
) -> Call[StartedRow]:
    """Start a run.

    Args:
        flow_slug: The flow.
        input: JSON text of the flow input.
        run_id: Id of the run; None makes one.
        key: The idempotency key; None is none.
        options: The rest.
    """
    arguments = {
        "flow_slug": flow_slug,
        "input": input,
        "run_id": run_id,
        "idempotency_key": key,
        **options.arguments(),
    }
    return Call(sql=_START_FLOW, arguments=arguments, read=_started_row, is_write=True)


def start_flows(
    flow_slug: str,
    inputs: Sequence[str],
    run_ids: Sequence[UUID] | None,
    keys: Sequence[str | None] | None,
    options: StartOptions,
) -> Call[list[UUID]]:
    """Start many runs of one flow; returns their ids in the order of the inputs.

    Args:
        flow_slug: The flow.
        inputs: JSON text of one flow input a run.
        run_ids: Ids of the runs; None makes them.
        keys: Idempotency keys of the runs, None for one without; None is none at all.
        options: Of all the runs.
    """
    arguments = {
        "flow_slug": flow_slug,
        "inputs": list(inputs),
        "run_ids": None if run_ids is None else list(run_ids),
        "idempotency_keys": None if keys is None else list(keys),
        **options.arguments(),
    }
    return Call(sql=_START_FLOWS, arguments=arguments, read=_first_column, is_write=True)


def _started_row(rows: Rows) -> StartedRow:
    run_id, status, reopened_count = rows[0]
    return StartedRow(run_id, RunState(status, reopened_count))


def _first_column(rows: Rows) -> list[UUID]:
    return [row[0] for row in rows]
