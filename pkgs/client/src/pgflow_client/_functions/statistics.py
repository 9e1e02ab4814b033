"""How flows have fared lately, from a bounded number of the newest runs of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pgflow_client._functions.call import Call, Rows

if TYPE_CHECKING:
    from datetime import datetime, timedelta

__all__ = ["PARTS", "FlowStatistics", "list_flow_statistics"]

PARTS: Final = 24
"""Into how many parts of equal length the time of a flow's recent runs is cut."""

# The runs of a flow are found by their ids, which are ordered by time: what was before the window,
# and what is beyond the limit, is not read. A name stands for all versions of the flow.
_LIST_FLOW_STATISTICS: Final = """
with page as (
  select flow.flow_slug, flow.flow_name, flow.version
  from pgflow.flows as flow
  where flow.flow_slug > %(after)s::text collate "C"
    and flow.flow_slug = coalesce(%(flow_slug)s::text, flow.flow_name) collate "C"
  order by flow.flow_slug
  limit %(page)s::int
),
recent as materialized (
  select
    page.flow_slug, run.status, run.started_at,
    extract(epoch from run.completed_at - run.started_at)::float8 as seconds
  from page
  cross join lateral (
    select each.status, each.started_at, each.completed_at
    from pgflow.flows as flow
    cross join lateral (
      select run.run_id, run.status, run.started_at, run.completed_at
      from pgflow.runs as run
      where run.flow_slug = flow.flow_slug
        and run.run_id >= pgflow.run_id_at(now() - %(window)s::interval)
      order by run.run_id desc
      limit %(most)s::int
    ) as each
    where flow.flow_name = page.flow_name
      and (page.version = 1 or flow.flow_slug = page.flow_slug)
    order by each.run_id desc
    limit %(most)s::int
  ) as run
),
counted as (
  select
    page.flow_slug,
    count(recent.status) = %(most)s::int as is_cut,
    case
      when count(recent.status) = %(most)s::int then min(recent.started_at)
      -- Whole minutes, so that what has not changed looks the same again.
      else date_trunc('minute', now() - %(window)s::interval)
    end as since,
    count(*) filter (where recent.status = 'started') as started,
    count(*) filter (where recent.status = 'completed') as completed,
    count(*) filter (where recent.status = 'failed') as failed,
    count(*) filter (where recent.status = 'cancelled') as cancelled,
    percentile_cont(0.5) within group (order by recent.seconds) as p50,
    percentile_cont(0.95) within group (order by recent.seconds) as p95
  from page
  left join recent on recent.flow_slug = page.flow_slug
  group by page.flow_slug
),
parts as (
  select
    recent.flow_slug,
    least(%(parts)s::int, greatest(1, ceil(
      %(parts)s::int * extract(epoch from recent.started_at - counted.since)
        / greatest(0.001, extract(epoch from now() - counted.since))
    )::int)) as place,
    count(*) as runs,
    count(*) filter (where recent.status = 'failed') as failed
  from recent
  join counted on counted.flow_slug = recent.flow_slug
  group by recent.flow_slug, place
)
select
  counted.flow_slug, counted.since, counted.is_cut, counted.started, counted.completed,
  counted.failed, counted.cancelled, counted.p50, counted.p95,
  array(
    select coalesce(part.runs, 0)
    from generate_series(1, %(parts)s::int) as wanted (place)
    left join parts as part
      on part.flow_slug = counted.flow_slug and part.place = wanted.place
    order by wanted.place
  ),
  array(
    select coalesce(part.failed, 0)
    from generate_series(1, %(parts)s::int) as wanted (place)
    left join parts as part
      on part.flow_slug = counted.flow_slug and part.place = wanted.place
    order by wanted.place
  )
from counted
order by counted.flow_slug
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStatistics:
    """How a flow has fared lately.

    Attributes:
        flow_slug: The flow, with all its versions; or a later version alone, such as name@2.
        since: The runs that were started since then are counted.
        is_cut: Whether there were too many, so that `since` is later than was asked for.
        started: How many of them are under way.
        completed: How many completed.
        failed: How many failed.
        cancelled: How many were cancelled.
        p50_seconds: The median of how long completed ones took; None where none completed.
        p95_seconds: The 95th percentile of it.
        started_parts: How many were started in each of the parts of the time since then.
        failed_parts: How many of those failed.
    """

    flow_slug: str
    since: datetime
    is_cut: bool
    started: int
    completed: int
    failed: int
    cancelled: int
    p50_seconds: float | None
    p95_seconds: float | None
    started_parts: tuple[int, ...]
    failed_parts: tuple[int, ...]


def list_flow_statistics(
    window: timedelta, *, most: int, after: str, page: int, flow_slug: str | None
) -> Call[list[FlowStatistics]]:
    """Count the recent runs of flows, and how long they took.

    Args:
        window: How far to look back.
        most: How many runs of a flow to look at, at most.
        after: Only flows whose slugs come after this one; "" is all.
        page: How many flows at most.
        flow_slug: Only this flow, or this version; None is all flows.
    """
    arguments = {
        "window": window,
        "most": most,
        "after": after,
        "page": page,
        "flow_slug": flow_slug,
        "parts": PARTS,
    }
    return Call(sql=_LIST_FLOW_STATISTICS, arguments=arguments, read=_statistics)


def _statistics(rows: Rows) -> list[FlowStatistics]:
    return [
        FlowStatistics(
            flow_slug=row[0],
            since=row[1],
            is_cut=row[2],
            started=row[3],
            completed=row[4],
            failed=row[5],
            cancelled=row[6],
            p50_seconds=row[7],
            p95_seconds=row[8],
            started_parts=tuple(row[9]),
            failed_parts=tuple(row[10]),
        )
        for row in rows
    ]
