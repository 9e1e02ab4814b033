"""The SQL functions that stand at the beginning and the end of a transactional attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString

if TYPE_CHECKING:
    from pgflow_client._functions.tasks import TaskRow

__all__ = ["COMPLETE", "ENTER", "FORGET", "completing", "entering"]

ENTER: Final[LiteralString] = """
select pgflow.enter_attempt(%s::uuid, %s::text, %s::int, %s::int, %s::int)
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


def entering(row: TaskRow, idle_seconds: int) -> tuple[object, ...]:
    """Return the arguments of `ENTER`, which returns whether the attempt still counts."""
    return row.run_id, row.step_slug, row.task_index, row.attempt, idle_seconds


def completing(row: TaskRow, output: str) -> tuple[object, ...]:
    """Return the arguments of `COMPLETE`, which returns why the output was refused, if it was."""
    return row.run_id, row.step_slug, row.task_index, output, row.attempt
