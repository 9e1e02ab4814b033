-- Runs as people look at them: how far, how long, and what went wrong.
create or replace view pgflow.run_overview as
select
  run.run_id,
  run.flow_slug,
  run.status,
  run.priority,
  run.started_at,
  coalesce(run.completed_at, run.failed_at, run.cancelled_at) as ended_at,
  coalesce(run.completed_at, run.failed_at, run.cancelled_at, clock_timestamp()) - run.started_at
    as duration,
  steps.total_steps,
  steps.total_steps - run.remaining_steps as done_steps,
  steps.running_steps,
  run.failed_step_slug,
  run.error_message
from pgflow.runs as run
cross join lateral (
  select
    count(*)::int as total_steps,
    array_agg(state.step_slug order by state.step_slug) filter (where state.status = 'started')
      as running_steps
  from pgflow.step_states as state
  where state.run_id = run.run_id
) as steps;

comment on view pgflow.run_overview is
'Runs as people look at them: how far, how long, and what went wrong. Order by run_id desc for the newest.';
