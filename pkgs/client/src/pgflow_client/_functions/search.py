"""A run as one of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pgflow_client._functions.call import Call, Rows, load_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from pgflow_client.progress import RunStatus

__all__ = ["RunSummary", "get_summary"]

_GET_SUMMARY: Final = """
select
  run.run_id, run.flow_slug, run.status, run.priority, run.tags::text, run.started_at,
  coalesce(run.completed_at, run.failed_at, run.cancelled_at), run.delayed_until,
  run.failed_step_slug, left(run.error_message, 500)
from pgflow.runs as run
where run.run_id = %(run_id)s::uuid
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run as one of a list.

    Attributes:
        run_id: The run.
        flow_slug: Its flow.
        status: Its status.
        priority: Its priority.
        tags: Its tags.
        started_at: When it was started.
        ended_at: When it was completed, failed or cancelled.
        delayed_until: Before then none of its tasks may be claimed; None for no delay.
        failed_step_slug: The step that failed it; None if it did not fail.
        error_message: The beginning of why it failed or was cancelled.
    """

    run_id: UUID
    flow_slug: str
    status: RunStatus
    priority: int
    tags: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime | None
    delayed_until: datetime | None
    failed_step_slug: str | None
    error_message: str | None


def get_summary(run_id: UUID) -> Call[RunSummary | None]:
    """Read one run as one of a list; None where there is no such run."""
    return Call(sql=_GET_SUMMARY, arguments={"run_id": run_id}, read=_summary)


def _summary(rows: Rows) -> RunSummary | None:
    if not rows:
        return None
    row = rows[0]
    return RunSummary(
        run_id=row[0],
        flow_slug=row[1],
        status=row[2],
        priority=row[3],
        tags=load_json(row[4]),
        started_at=row[5],
        ended_at=row[6],
        delayed_until=row[7],
        failed_step_slug=row[8],
        error_message=row[9],
    )
