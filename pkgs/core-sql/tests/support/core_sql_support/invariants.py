"""What holds of every run whenever no call is under way, as one query that finds exceptions."""

from typing import Any, Final

import psycopg

_BROKEN: Final = """
with counted as (
  select
    state.*, run.status as run_status,
    (
      select count(*)
      from pgflow.deps as dep
      join pgflow.step_states as parent
        on parent.run_id = state.run_id and parent.step_slug = dep.dep_slug
      where dep.flow_slug = state.flow_slug and dep.step_slug = state.step_slug
        and parent.status not in ('completed', 'skipped')
    ) as open_deps,
    tasks.made, tasks.open, tasks.live, tasks.outputs
  from pgflow.step_states as state
  join pgflow.runs as run on run.run_id = state.run_id
  cross join lateral (
    select
      count(*) as made,
      count(*) filter (where task.status <> 'completed') as open,
      count(*) filter (where task.status in ('queued', 'started')) as live,
      jsonb_agg(task.output order by task.task_index) as outputs
    from pgflow.step_tasks as task
    where task.run_id = state.run_id and task.step_slug = state.step_slug
  ) as tasks
),
ran as (
  select
    run.*,
    (
      select count(*) from counted
      where counted.run_id = run.run_id and counted.status not in ('completed', 'skipped')
    ) as open_steps,
    (select count(*) from pgflow.steps as step where step.flow_slug = run.flow_slug) as steps,
    (select count(*) from counted where counted.run_id = run.run_id) as states,
    (
      select coalesce(sum(counted.live), 0) from counted where counted.run_id = run.run_id
    ) as live,
    (
      select coalesce(jsonb_object_agg(counted.step_slug, counted.output), '{}')
      from counted
      where counted.run_id = run.run_id and counted.status = 'completed' and not exists (
        select from pgflow.deps as dep
        where dep.flow_slug = counted.flow_slug and dep.dep_slug = counted.step_slug
      )
    ) as leaves
  from pgflow.runs as run
)
select 'a status is a known one', run_id, null from ran
where status not in ('started', 'completed', 'failed', 'cancelled')
union all
select 'a status is a known one', run_id, step_slug from counted
where status not in ('created', 'started', 'completed', 'failed', 'skipped', 'cancelled')
union all
select 'a status is a known one', run_id, step_slug from pgflow.step_tasks
where status not in ('queued', 'started', 'completed', 'failed', 'skipped', 'cancelled')
union all
select 'no counter is negative', run_id, step_slug from counted
where least(remaining_tasks, initial_tasks, remaining_deps) < 0
union all
select 'no counter is negative', run_id, step_slug from pgflow.step_tasks
where least(attempts_count, released_count, requeued_count) < 0
union all
select 'each step has a state', run_id, null from ran where steps <> states
union all
select 'remaining_steps counts open steps', run_id, null from ran
where remaining_steps <> open_steps or remaining_steps < 0
union all
select 'a run is completed when and only when no step is left', run_id, null from ran
where (status = 'completed') <> (open_steps = 0)
union all
select 'a run under way has a live task', run_id, null from ran
where status = 'started' and live = 0
union all
select 'an ended run has no live task', run_id, null from ran where status <> 'started' and live > 0
union all
select 'a completed run has the outputs of its leaves', run_id, null from ran
where output is distinct from case when status = 'completed' then leaves end
union all
select 'a run says when it ended', run_id, null from ran
where (completed_at is not null) <> (status = 'completed')
  or (failed_at is not null) <> (status = 'failed')
  or (cancelled_at is not null) <> (status = 'cancelled')
union all
select 'a failed run says which step and why', run_id, null from ran
where (failed_step_slug is not null) <> (status = 'failed')
  or status = 'failed' and error_message is null
union all
select 'a run fails by a step that failed', run_id, failed_step_slug from ran
where status = 'failed' and not exists (
  select from counted
  where counted.run_id = ran.run_id and counted.step_slug = ran.failed_step_slug
    and counted.status = 'failed' and counted.error_message = ran.error_message
)
union all
select 'remaining_deps counts open dependencies', run_id, step_slug from counted
where remaining_deps <> open_deps or remaining_deps < 0
union all
select 'remaining_tasks counts open tasks', run_id, step_slug from counted
where status in ('started', 'completed')
  and (remaining_tasks is distinct from open or initial_tasks is distinct from made)
union all
select 'a step that never started counts no tasks', run_id, step_slug from counted
where status in ('created', 'skipped') and remaining_tasks is not null
union all
select 'a skipped step says why, and no other does', run_id, step_slug from counted
where (status = 'skipped') <> (skip_reason is not null)
union all
select 'an output is of a completed step', run_id, step_slug from counted
where output is not null and status <> 'completed'
union all
select 'an output is of a task that ended', run_id, step_slug from pgflow.step_tasks
where output is not null and status not in ('completed', 'failed')
union all
select 'what a starter wrote on a run are objects', run_id, null from ran
where jsonb_typeof(tags) <> 'object' or jsonb_typeof(trace_context) <> 'object'
union all
select 'a step under way has a live task', run_id, step_slug from counted
where (status = 'started') <> (live > 0)
union all
select 'an ended run has no open step', run_id, step_slug from counted
where run_status <> 'started' and status in ('created', 'started')
union all
select 'a ready step is decided', run_id, step_slug from counted
where status = 'created' and remaining_deps = 0
union all
select 'a step that waits has no tasks', run_id, step_slug from counted
where status = 'created' and made > 0
union all
select 'a completed map has the outputs of its tasks in order', counted.run_id, counted.step_slug
from counted
join pgflow.steps as step using (flow_slug, step_slug)
where step.step_type = 'map' and counted.status = 'completed'
  and counted.output is distinct from coalesce(counted.outputs, '[]')
union all
select 'a completed single step has the output of its task', counted.run_id, counted.step_slug
from counted
join pgflow.steps as step using (flow_slug, step_slug)
join pgflow.step_tasks as task on task.run_id = counted.run_id
  and task.step_slug = counted.step_slug
where step.step_type = 'single' and counted.status = 'completed'
  and counted.output is distinct from task.output
union all
select 'a step says when it ended', run_id, step_slug from counted
where (completed_at is not null) <> (status = 'completed')
  or (failed_at is not null) <> (status = 'failed')
  or (skipped_at is not null) <> (status = 'skipped')
  or (cancelled_at is not null) <> (status = 'cancelled')
union all
select 'a task says when it ended', run_id, step_slug from pgflow.step_tasks
where (completed_at is not null) <> (status = 'completed')
  or (failed_at is not null) <> (status = 'failed')
  or (skipped_at is not null) <> (status = 'skipped')
  or (cancelled_at is not null) <> (status = 'cancelled')
  or status = 'started' and (started_at is null or last_worker_id is null)
  or status = 'queued' and started_at is not null
union all
select 'nothing ends before it starts', run_id, null from ran
where coalesce(completed_at, failed_at, cancelled_at) < started_at
union all
select 'nothing ends before it starts', run_id, step_slug from counted
where coalesce(completed_at, failed_at, skipped_at, cancelled_at) < started_at
union all
select 'nothing ends before it starts', run_id, step_slug from pgflow.step_tasks
where coalesce(completed_at, failed_at, skipped_at, cancelled_at) < started_at
union all
select 'a claim costs an attempt or is handed back', run_id, step_slug from pgflow.step_tasks
where released_count > attempts_count or released_count < 0
union all
select 'a stream knows the place of its last item', item.run_id, item.step_slug
from pgflow.stream_items as item
left join pgflow.streams as stream using (run_id, step_slug)
where stream.last_position is null or item.position not between 1 and stream.last_position
union all
select 'an item is of a run', item.run_id, item.step_slug
from pgflow.stream_items as item
where not exists (select from pgflow.runs as run where run.run_id = item.run_id)
"""


def broken_rules(conn: psycopg.Connection[Any]) -> list[tuple[str, str, str | None]]:
    """Find what breaks a rule: the rule, the run, and the step."""
    with conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        # Compiling it takes seconds where there are many partitions, and running it does not.
        cursor.execute("set jit to off")
        return [
            (rule, str(run_id), step_slug)
            for rule, run_id, step_slug in cursor.execute(_BROKEN).fetchall()
        ]
