"""The SQL function that lists runs, and what flows there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple, get_args
from uuid import UUID

from pgflow_client._functions.call import Call, Rows, load_json
from pgflow_client._functions.search import RunSummary
from pgflow_client.progress import RunStatus

__all__ = ["PageOfRuns", "list_runs"]

_LIST_RUNS: Final = """
select pgflow.list_runs(
  flow_slug => %(flow_slug)s::text, status => %(status)s::text, tags => %(tags)s::jsonb,
  since => %(since)s::timestamptz, until => %(until)s::timestamptz, before => %(before)s::uuid,
  quantity => %(quantity)s::int
)::text
"""


class PageOfRuns(NamedTuple):
    """A page of a list of runs.

    Attributes:
        runs: The runs, the newest first.
        next: The id to go on before; None where nothing follows.
    """

    runs: list[RunSummary]
    next: UUID | None


def list_runs(
    *,
    flow_slug: str | None,
    status: RunStatus | None,
    tags: str | None,
    since: datetime | None,
    until: datetime | None,
    before: UUID | None,
    quantity: int,
) -> Call[PageOfRuns]:
    """List runs, the newest first; a page with a next one may hold few runs, or none.

    Args:
        flow_slug: Only runs of this flow; None for all.
        status: Only runs of this status; None for all.
        tags: JSON text of an object: only runs with all of these tags; None for all.
        since: Only runs that were started then or later; None for all.
        until: Only runs that were started before; None for all.
        before: Only runs with a smaller id; None for all.
        quantity: How many at most.

    Raises:
        ValueError: There is no such status.
    """
    if status is not None and status not in get_args(RunStatus):
        known = ", ".join(get_args(RunStatus))
        raise ValueError(f"the status of a run is one of {known}, not {status!r:.100}")
    arguments = {
        "flow_slug": flow_slug,
        "status": status,
        "tags": tags,
        "since": since,
        "until": until,
        "before": before,
        "quantity": quantity,
    }
    return Call(sql=_LIST_RUNS, arguments=arguments, read=_page)


def _page(rows: Rows) -> PageOfRuns:
    page: dict[str, Any] = load_json(rows[0][0])
    then = page["next"]
    return PageOfRuns([_summary(run) for run in page["runs"]], None if then is None else UUID(then))


def _summary(run: dict[str, Any]) -> RunSummary:
    return RunSummary(
        run_id=UUID(run["run_id"]),
        flow_slug=run["flow_slug"],
        status=run["status"],
        priority=run["priority"],
        tags=run["tags"],
        started_at=datetime.fromisoformat(run["started_at"]),
        ended_at=_instant(run["ended_at"]),
        delayed_until=_instant(run["delayed_until"]),
        failed_step_slug=run["failed_step_slug"],
        error_message=run["error_message"],
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
