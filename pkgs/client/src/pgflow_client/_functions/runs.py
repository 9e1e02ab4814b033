"""The SQL functions that look at runs, and ask to be told of their changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple
from uuid import UUID

from pgflow_client._follow import Reopening
from pgflow_client._functions.call import Call, Rows
from pgflow_client.progress import RunProgress, RunStatus, StepStatus, parse_progress

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = [
    "CHANNEL",
    "STREAM_CHANNEL",
    "FailureRow",
    "OutputRow",
    "Versions",
    "get_run_failure",
    "get_run_output",
    "get_run_progress",
    "get_run_reopenings",
    "get_run_versions",
    "get_step_output",
    "listen_to_runs",
    "schema_version",
    "unwatch_runs",
    "watch_runs",
]

CHANNEL: Final = "pgflow_runs"
STREAM_CHANNEL: Final = "pgflow_streams"

_GET_RUN_PROGRESS: Final = "select pgflow.get_run_progress(run_id => %(run_id)s::uuid)::text"
_GET_RUN_REOPENINGS: Final = """
select past.reopening, past.step_slugs, past.progress::text, past.reopened_at
from pgflow.get_run_reopenings(run_id => %(run_id)s::uuid, after => %(after)s::int) as past
"""
_GET_RUN_VERSIONS: Final = """
select pgflow.get_run_versions(
  run_ids => %(run_ids)s::uuid[], is_first => %(is_first)s::boolean
)::text
"""
_GET_RUN_OUTPUT: Final = """
select run.states -> 'run' ->> 'status', (run.states -> 'run' -> 'output')::text
from pgflow.get_run_with_states(run_id => %(run_id)s::uuid) as run (states)
where run.states is not null
"""
_GET_STEP_OUTPUT: Final = """
select step.state ->> 'status', (step.state -> 'output')::text,
  coalesce(step.state ->> 'error_message', step.state ->> 'skip_reason')
from pgflow.get_run_with_states(run_id => %(run_id)s::uuid) as run (states)
cross join jsonb_array_elements(run.states -> 'steps') as step (state)
where step.state ->> 'step_slug' = %(step_slug)s::text
"""
_WATCH_RUNS: Final = """
select pgflow.watch_runs(
  watcher_id => %(watcher_id)s::uuid, run_ids => %(run_ids)s::uuid[],
  lifetime_seconds => %(lifetime_seconds)s::int, ends_only => %(ends_only)s::boolean
)
"""
_UNWATCH_RUNS: Final = """
select pgflow.unwatch_runs(watcher_id => %(watcher_id)s::uuid, run_ids => %(run_ids)s::uuid[])
"""
_GET_RUN_FAILURE: Final = """
select attempt.step_slug, attempt.task_index, attempt.attempt, attempt.error_type,
  attempt.error_message, attempt.traceback
from pgflow.get_run_failure(run_id => %(run_id)s::uuid) as attempt
"""
_LISTEN: Final[tuple[LiteralString, ...]] = ("listen pgflow_runs", "listen pgflow_streams")
_SCHEMA_VERSION: Final = "select pgflow.schema_version()"


class Versions(NamedTuple):
    """Texts that change whenever their runs do.

    Attributes:
        by_run: The text of each run that exists.
        oldest_xid: The oldest transaction that may not have ended.
        horizon: What the oldest_xid of a later answer has to reach before every change is
            notified; None in all answers but the first.
    """

    by_run: Mapping[UUID, str]
    oldest_xid: int
    horizon: int | None


class FailureRow(NamedTuple):
    """The attempt that failed a run.

    Attributes:
        step_slug: Its step.
        task_index: The element's place for a map, else 0.
        attempt: Which attempt it was, from 1.
        error_type: Name of the exception's class; None where there was no exception.
        error_message: What went wrong.
        traceback: Text of the traceback; None where there was none.
    """

    step_slug: str
    task_index: int
    attempt: int
    error_type: str | None
    error_message: str
    traceback: str | None


class OutputRow(NamedTuple):
    """What came out of a step.

    Attributes:
        status: The step's status.
        output: JSON text; also the text null where there is no output.
        reason: Why it failed or was skipped; None where it was neither.
    """

    status: StepStatus
    output: str | None
    reason: str | None


def get_run_progress(run_id: UUID) -> Call[RunProgress | None]:
    """Read how far a run has come; None where there is no such run."""
    return Call(sql=_GET_RUN_PROGRESS, arguments={"run_id": run_id}, read=_progress)


def get_run_reopenings(run_id: UUID, after: int) -> Call[list[Reopening]]:
    """Read what a run had come to each time it was reopened, the first times left out."""
    arguments = {"run_id": run_id, "after": after}
    return Call(sql=_GET_RUN_REOPENINGS, arguments=arguments, read=_reopenings)


def get_run_versions(run_ids: Collection[UUID], *, is_first: bool) -> Call[Versions]:
    """Read of each run a text that is another one whenever anything has happened to it.

    Args:
        run_ids: The runs.
        is_first: Whether some of them have just been marked as watched.
    """
    arguments = {"run_ids": list(run_ids), "is_first": is_first}
    return Call(sql=_GET_RUN_VERSIONS, arguments=arguments, read=_versions, is_write=is_first)


def get_run_output(run_id: UUID) -> Call[tuple[RunStatus, str] | None]:
    """Read a run's status and output as JSON text; None where there is no such run."""
    return Call(sql=_GET_RUN_OUTPUT, arguments={"run_id": run_id}, read=_status_and_output)


def get_step_output(run_id: UUID, step_slug: str) -> Call[OutputRow | None]:
    """Read what came out of a step; None where the run or its flow has no such step."""
    arguments = {"run_id": run_id, "step_slug": step_slug}
    return Call(sql=_GET_STEP_OUTPUT, arguments=arguments, read=_output_row)


def get_run_failure(run_id: UUID) -> Call[FailureRow | None]:
    """Read the attempt that failed a run; None where no attempt did."""
    return Call(sql=_GET_RUN_FAILURE, arguments={"run_id": run_id}, read=_failure_row)


def watch_runs(
    watcher_id: UUID, run_ids: Collection[UUID], lifetime_seconds: int, *, ends_only: bool
) -> Call[None]:
    """Ask to be notified of changes of runs, or of their ends alone, for a while."""
    arguments = {
        "watcher_id": watcher_id,
        "run_ids": list(run_ids),
        "lifetime_seconds": lifetime_seconds,
        "ends_only": ends_only,
    }
    return Call(sql=_WATCH_RUNS, arguments=arguments, read=_nothing, is_write=True)


def unwatch_runs(watcher_id: UUID, run_ids: Collection[UUID]) -> Call[None]:
    """Ask no longer to be notified of changes of runs."""
    arguments = {"watcher_id": watcher_id, "run_ids": list(run_ids)}
    return Call(sql=_UNWATCH_RUNS, arguments=arguments, read=_nothing, is_write=True)


def listen_to_runs() -> list[Call[None]]:
    """Have notifications of changed runs, and of what their steps emit, come to this connection."""
    return [Call(sql=sql, arguments={}, read=_nothing, is_write=True) for sql in _LISTEN]


def schema_version() -> Call[int]:
    """Read which version of the schema is installed."""
    return Call(sql=_SCHEMA_VERSION, arguments={}, read=_number)


def _progress(rows: Rows) -> RunProgress | None:
    text: str | None = rows[0][0]
    return None if text is None else parse_progress(text)


def _status_and_output(rows: Rows) -> tuple[RunStatus, str] | None:
    return (rows[0][0], rows[0][1]) if rows else None


def _failure_row(rows: Rows) -> FailureRow | None:
    return FailureRow._make(rows[0]) if rows else None


def _output_row(rows: Rows) -> OutputRow | None:
    return OutputRow._make(rows[0]) if rows else None


def _reopenings(rows: Rows) -> list[Reopening]:
    return [
        Reopening(
            reopening=row[0],
            step_slugs=frozenset(row[1]),
            progress=parse_progress(row[2]),
            at=row[3],
        )
        for row in rows
    ]


def _versions(rows: Rows) -> Versions:
    answer = json.loads(rows[0][0])
    return Versions(
        by_run={UUID(run_id): version for run_id, version in answer["versions"].items()},
        oldest_xid=answer["oldest_xid"],
        horizon=answer["horizon"],
    )


def _number(rows: Rows) -> int:
    number: int = rows[0][0]
    return number


def _nothing(rows: Rows) -> None:
    return None
