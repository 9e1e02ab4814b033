"""The SQL functions that change what becomes of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pgflow_client._functions.call import Call
from pgflow_client.progress import RunState

if TYPE_CHECKING:
    from uuid import UUID

    from pgflow_client._functions.call import Rows

__all__ = ["cancel_run", "restart_run", "retry_run"]

_CANCEL_RUN: Final = """
select run.status, run.reopened_count
from pgflow.cancel_run(run_id => %(run_id)s::uuid, reason => %(reason)s::text) as run
"""
_RETRY_RUN: Final = """
select run.status, run.reopened_count
from pgflow.retry_run(run_id => %(run_id)s::uuid) as run
"""
_RESTART_RUN: Final = """
select run.status, run.reopened_count
from pgflow.restart_run(
  run_id => %(run_id)s::uuid, from_step => %(from_step)s::text, version => %(version)s::int
) as run
"""


def cancel_run(run_id: UUID, reason: str | None) -> Call[RunState]:
    """Cancel a run; returns what it is then, which is what it was if it had ended."""
    arguments = {"run_id": run_id, "reason": reason}
    return Call(sql=_CANCEL_RUN, arguments=arguments, read=_state, is_write=True)


def retry_run(run_id: UUID) -> Call[RunState]:
    """Go on with a run that failed or was cancelled; returns what it is then."""
    return Call(sql=_RETRY_RUN, arguments={"run_id": run_id}, read=_state, is_write=True)


def restart_run(run_id: UUID, from_step: str, version: int | None) -> Call[RunState]:
    """Repeat a step of a run and all that depends on it; returns what the run is then.

    Args:
        run_id: The run.
        from_step: The step.
        version: Number of the version that it goes on as; None is the one that it has.
    """
    arguments = {"run_id": run_id, "from_step": from_step, "version": version}
    return Call(sql=_RESTART_RUN, arguments=arguments, read=_state, is_write=True)


def _state(rows: Rows) -> RunState:
    return RunState._make(rows[0])
