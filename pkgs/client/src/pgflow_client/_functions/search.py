"""Finding runs, the newest first, each statement looking at a bounded number of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString
from uuid import UUID

from pgflow_client._functions.call import Call, Rows, load_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pgflow_client.progress import RunStatus

__all__ = [
    "FIRST_ID",
    "LAST_ID",
    "LookedThrough",
    "RunFilter",
    "RunSummary",
    "get_summary",
    "look_size",
    "next_look",
    "run_id_at",
]

# Runs that one statement looks at: the first has what is common at once, the others take some tens
# of milliseconds.
_FIRST_LOOK: Final = 500
_LOOK: Final = 20_000

FIRST_ID: Final = UUID(int=0)
LAST_ID: Final = UUID(int=2**128 - 1)

_COLUMNS: Final[LiteralString] = """
  run.run_id, run.flow_slug, run.status, run.priority, run.tags::text, run.started_at,
  coalesce(run.completed_at, run.failed_at, run.cancelled_at) as ended_at, run.delayed_until,
  run.failed_step_slug, left(run.error_message, 500) as error_message
"""
# What is looked at first is the newest, whatever it is: common things are found at once. How far
# that went comes along, so that the next statement can go on from there.
_FROM_LOOKED: Final[LiteralString] = """
select bounds.looked, bounds.last_id, match.*
from (
  select
    (select count(*) from looked) as looked,
    (select looked.run_id from looked order by looked.run_id limit 1) as last_id
) as bounds
left join lateral (
  select *
  from looked
  where looked.status = coalesce(%(status)s::text, looked.status)
    and looked.tags::jsonb @> %(tags)s::jsonb
  order by looked.run_id desc
  limit %(page)s::int
) as match on true
order by match.run_id desc
"""
# Two statements, since each goes along an index of its own.
_LOOK_THROUGH_ALL: Final[LiteralString] = f"""
with looked as materialized (
  select {_COLUMNS}
  from pgflow.runs as run
  where run.run_id < %(before)s::uuid and run.run_id >= %(from)s::uuid
  order by run.run_id desc
  limit %(most)s::int
)
{_FROM_LOOKED}
"""
_LOOK_THROUGH_FLOW: Final[LiteralString] = f"""
with looked as materialized (
  select {_COLUMNS}
  from pgflow.runs as run
  where run.flow_slug = %(flow_slug)s::text
    and run.run_id < %(before)s::uuid and run.run_id >= %(from)s::uuid
  order by run.run_id desc
  limit %(most)s::int
)
{_FROM_LOOKED}
"""
# By the index of tags, which is quick where few runs have them.
_FIND_TAGGED: Final[LiteralString] = f"""
with looked as materialized (
  select {_COLUMNS}
  from pgflow.runs as run
  where run.tags @> %(tags)s::jsonb and run.tags <> '{{}}'
    and run.run_id < %(before)s::uuid and run.run_id >= %(from)s::uuid
    and run.flow_slug = coalesce(%(flow_slug)s::text, run.flow_slug)
)
{_FROM_LOOKED}
"""
# A run that is under way has a task that is: their indexes hold nothing else.
_FIND_LIVE: Final[LiteralString] = f"""
with live as materialized (
  (
    select task.run_id from pgflow.step_tasks as task
    where task.status = 'queued' and task.order_at < 'infinity' and not task.claimed_apart
    limit %(most)s::int
  )
  union all
  (
    select task.run_id from pgflow.step_tasks as task
    where task.status = 'queued' and task.order_at < 'infinity' and task.claimed_apart
    limit %(most)s::int
  )
  union all
  (
    select task.run_id from pgflow.step_tasks as task
    where task.status = 'queued' and task.order_at = 'infinity'
    limit %(most)s::int
  )
  union all
  (
    select task.run_id from pgflow.step_tasks as task
    where task.status = 'started' and task.last_worker_id is not null
    limit %(most)s::int
  )
),
looked as materialized (
  select {_COLUMNS}
  from pgflow.runs as run
  where run.run_id = any (array(
      select distinct live.run_id
      from live
      where live.run_id < %(before)s::uuid and live.run_id >= %(from)s::uuid
    ))
    and run.flow_slug = coalesce(%(flow_slug)s::text, run.flow_slug)
)
{_FROM_LOOKED}
"""
_GET_SUMMARY: Final[LiteralString] = f"""
select {_COLUMNS} from pgflow.runs as run where run.run_id = %(run_id)s::uuid
"""
_RUN_ID_AT: Final = "select pgflow.run_id_at(%(instant)s::timestamptz)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are looked for.

    Attributes:
        flow_slug: Only those of this flow; None for all.
        status: Only those of this status; None for all.
        tags: Only those that have all of these.
    """

    flow_slug: str | None
    status: RunStatus | None
    tags: Mapping[str, Any]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedThrough:
    """What was found among the runs that one statement looked at.

    Attributes:
        looked: How many runs it looked at.
        last_id: The oldest of them; None where there was none.
        runs: Those that were looked for, the newest first.
    """

    looked: int
    last_id: UUID | None
    runs: tuple[RunSummary, ...]


def look_through(
    wanted: RunFilter, *, before: UUID, since: UUID, most: int, page: int
) -> Call[LookedThrough]:
    """Look at the newest runs before one, and pick those that are wanted.

    Args:
        wanted: Which runs.
        before: Only runs with a smaller id.
        since: Only runs with an id that is no smaller.
        most: How many runs to look at.
        page: How many to pick.
    """
    sql = _LOOK_THROUGH_ALL if wanted.flow_slug is None else _LOOK_THROUGH_FLOW
    arguments = {**_arguments(wanted, before, since, page), "most": most}
    return Call(sql=sql, arguments=arguments, read=_looked_through)


def find_tagged(wanted: RunFilter, *, before: UUID, since: UUID, page: int) -> Call[LookedThrough]:
    """Find the newest runs with tags before one; reads all runs with these tags."""
    arguments = _arguments(wanted, before, since, page)
    return Call(sql=_FIND_TAGGED, arguments=arguments, read=_looked_through)


def find_live(
    wanted: RunFilter, *, before: UUID, since: UUID, most: int, page: int
) -> Call[LookedThrough]:
    """Find the newest runs under way before one, by their tasks.

    Args:
        wanted: Which runs.
        before: Only runs with a smaller id.
        since: Only runs with an id that is no smaller.
        most: How many tasks of a kind to look at.
        page: How many runs to find.
    """
    arguments = {**_arguments(wanted, before, since, page), "most": most}
    return Call(sql=_FIND_LIVE, arguments=arguments, read=_looked_through)


def look_size(look: int) -> int:
    """Return how many runs a look goes through, after so many others."""
    return _LOOK if look else _FIRST_LOOK


def next_look(
    wanted: RunFilter, look: int, before: UUID, since: UUID, page: int
) -> tuple[Call[LookedThrough], bool]:
    """Choose how to look for runs, and tell whether that finds all there are.

    What is common is among the newest. What is not, tags and runs that are long under way, is found
    by an index, and the rest by looking through one run after the other.

    Args:
        wanted: Which runs.
        look: How many looks there were before.
        before: Only runs with a smaller id.
        since: Only runs with an id that is no smaller.
        page: How many to find.
    """
    if look and wanted.tags:
        return find_tagged(wanted, before=before, since=since, page=page), True
    if look and wanted.status == "started":
        return find_live(wanted, before=before, since=since, most=_LOOK, page=page), True
    most = look_size(look)
    return look_through(wanted, before=before, since=since, most=most, page=page), False


def get_summary(run_id: UUID) -> Call[RunSummary | None]:
    """Read one run as one of a list; None where there is no such run."""
    return Call(sql=_GET_SUMMARY, arguments={"run_id": run_id}, read=_first_summary)


def run_id_at(instant: datetime) -> Call[UUID]:
    """Make the smallest id that a run started at an instant can have."""
    return Call(sql=_RUN_ID_AT, arguments={"instant": instant}, read=_run_id)


def _arguments(wanted: RunFilter, before: UUID, since: UUID, page: int) -> dict[str, Any]:
    return {
        "flow_slug": wanted.flow_slug,
        "status": wanted.status,
        "tags": json.dumps(dict(wanted.tags)),
        "before": before,
        "from": since,
        "page": page,
    }


def _looked_through(rows: Rows) -> LookedThrough:
    looked, last_id = rows[0][:2]
    runs = tuple(_summary(row[2:]) for row in rows if row[2] is not None)
    return LookedThrough(looked=looked, last_id=last_id, runs=runs)


def _first_summary(rows: Rows) -> RunSummary | None:
    return _summary(rows[0]) if rows else None


def _summary(row: tuple[Any, ...]) -> RunSummary:
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


def _run_id(rows: Rows) -> UUID:
    run_id: UUID = rows[0][0]
    return run_id
