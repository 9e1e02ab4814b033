"""Large tables: a long history and a long queue, made in a few statements."""

from typing import Any, Final

import psycopg

ENDED: Final = 200_000
QUEUED: Final = 20_000
DELAYED: Final = 10_000
ELEMENTS: Final = 50_000

# A UUIDv7 of some instant.
_ID_AT: Final = """
create or replace function public.id_at(at timestamptz) returns uuid language sql as $$
  select encode(
    overlay(
      uuid_send(pgflow.run_id_at(at)) placing substring(uuid_send(gen_random_uuid()) from 9) from 9
    ),
    'hex'
  )::uuid
$$
"""
_RUNS: Final = """
with made as (
  insert into pgflow.runs (
    run_id, flow_slug, status, input, remaining_steps, started_at, completed_at, failed_at,
    output, error_message, failed_step_slug
  )
  select
    public.id_at(place.started_at), %(flow)s, %(status)s, '{}',
    case when %(status)s = 'completed' then 0 else 1 end, place.started_at,
    case when %(status)s = 'completed' then place.started_at + interval '2 seconds' end,
    case when %(status)s = 'failed' then place.started_at + interval '2 seconds' end,
    case when %(status)s = 'completed' then '{"a": 1}'::jsonb end,
    case when %(status)s = 'failed' then 'boom' end, case when %(status)s = 'failed' then 'a' end
  from (
    select now() - %(age)s::interval + n * interval '1 second' as started_at
    from generate_series(1, %(quantity)s) as n
  ) as place
  returning run_id, started_at
),
states as (
  insert into pgflow.step_states (
    run_id, step_slug, flow_slug, status, remaining_deps, initial_tasks, remaining_tasks, output,
    created_at, started_at, completed_at, failed_at, error_message
  )
  select
    made.run_id, 'a', %(flow)s, %(status)s, 0, 1,
    case when %(status)s = 'completed' then 0 else 1 end,
    case when %(status)s = 'completed' then '1'::jsonb end, made.started_at, made.started_at,
    case when %(status)s = 'completed' then made.started_at + interval '2 seconds' end,
    case when %(status)s = 'failed' then made.started_at + interval '2 seconds' end,
    case when %(status)s = 'failed' then 'boom' end
  from made
)
insert into pgflow.step_tasks (
  run_id, step_slug, task_index, flow_slug, status, attempts_count, output, order_at, available_at,
  queued_at, started_at, completed_at, failed_at, error_message, last_worker_id
)
select
  made.run_id, 'a', 0, %(flow)s,
  case %(status)s when 'started' then 'queued' else %(status)s end,
  case %(status)s when 'started' then 0 else 1 end,
  case when %(status)s = 'completed' then '1'::jsonb end,
  case when %(delay)s::interval is null then made.started_at else 'infinity' end,
  made.started_at + coalesce(%(delay)s::interval, '0'), made.started_at,
  case when %(status)s <> 'started' then made.started_at end,
  case when %(status)s = 'completed' then made.started_at + interval '2 seconds' end,
  case when %(status)s = 'failed' then made.started_at + interval '2 seconds' end,
  case when %(status)s = 'failed' then 'boom' end,
  case when %(status)s <> 'started' then gen_random_uuid() end
from made
"""
_ATTEMPTS: Final = """
insert into pgflow.task_attempts (
  run_id, step_slug, task_index, attempt, started_at, failed_at, error_message
)
select run.run_id, 'a', 0, 1, run.started_at, run.failed_at, 'boom'
from pgflow.runs as run
where run.status = 'failed'
on conflict do nothing
"""


def keep_unanalyzed(conn: psycopg.Connection[Any]) -> None:
    """See to it that only the test gathers statistics.

    To be called before any plan is made that is to outlive it.
    """
    for table in ("runs", "step_states", "step_tasks", "task_attempts"):
        conn.execute(f"alter table pgflow.{table} set (autovacuum_enabled = off)")


def fill(conn: psycopg.Connection[Any], scale: float = 1.0) -> None:
    """Give a database a history of the flows 'site' and 'quiet', and 'site' and 'maps' a queue.

    Args:
        conn: Its connection.
        scale: Share of the full size.
    """
    conn.execute(_ID_AT)

    def runs(flow: str, status: str, age: str, quantity: int, delay: str | None = None) -> None:
        conn.execute(
            _RUNS,
            {
                "flow": flow,
                "status": status,
                "age": age,
                "quantity": int(quantity * scale),
                "delay": delay,
            },
        )

    runs("site", "completed", "30 days", ENDED // 2)
    runs("site", "failed", "25 days", ENDED // 10)
    runs("quiet", "completed", "20 days", ENDED * 4 // 10)
    conn.execute(_ATTEMPTS)
    runs("site", "started", "3 days", QUEUED)
    runs("site", "started", "2 days", DELAYED, "10 days")
    conn.execute(
        "select pgflow.start_flow('maps', (select jsonb_agg(n) from generate_series(1, %s) as n))",
        (int(ELEMENTS * scale),),
    )
