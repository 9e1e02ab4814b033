"""The SQL functions that stand at the beginning and the end of a transactional attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString

if TYPE_CHECKING:
    from pgflow_client._functions.tasks import TaskRow

__all__ = ["COMPLETE", "END_SESSIONS", "ENTER", "FORGET", "completing", "entering"]

ENTER: Final[LiteralString] = """
select pgflow.enter_attempt(%s::uuid, %s::text, %s::int, %s::int, %s::int, %s::boolean)
"""
END_SESSIONS: Final[LiteralString] = """
select count(pg_terminate_backend(session.pid)) from unnest(%s::int[]) as session (pid)
"""
# From here to the commit others may wait for locks of the run. If the worker is stopped just then,
# the server ends its session.
COMPLETE: Final[LiteralString] = """
select
  (
    select task.refused
    from pgflow.complete_tasks(
      array[%s::uuid], array[%s::text], array[%s::int], array[%s::jsonb], array[%s::int]
    ) as task
  ),
  set_config('idle_in_transaction_session_timeout', '3s', true)
"""
# What a handler may leave behind in a session that others are to use. All but the last goes with
# the transaction, where that is rolled back.
FORGET: Final[LiteralString] = """
reset session authorization; reset role; reset all; close all; unlisten *; discard temp;
select pg_advisory_unlock_all()
"""


def entering(row: TaskRow, idle_seconds: int, *, waits: bool) -> tuple[object, ...]:
    """Return the arguments of `ENTER`.

    It returns the sessions of earlier attempts, none where it is done; None where the attempt
    counts no longer.
    """
    return row.run_id, row.step_slug, row.task_index, row.attempt, idle_seconds, waits


def completing(row: TaskRow, output: str) -> tuple[object, ...]:
    """Return the arguments of `COMPLETE`, which returns why the output was refused, if it was."""
    return row.run_id, row.step_slug, row.task_index, output, row.attempt
