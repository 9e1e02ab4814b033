-- Runs as people look at them: how far, how long, and what went wrong.
--
-- Holds no volatile function: with one, a query's order and limit would come after reading all
-- runs.
create or replace view pgflow.run_overview as
select
  run.run_id,
  run.flow_slug,
  run.status,
  run.priority,
  run.started_at,
  coalesce(run.completed_at, run.failed_at, run.cancelled_at) as ended_at,
  coalesce(run.completed_at, run.failed_at, run.cancelled_at, statement_timestamp())
  - run.started_at as duration,
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
'Runs as people look at them: how far, how long, and what went wrong. Order by run_id desc for '
'the newest; pgflow.list_runs pages through those of a flow.';

comment on column pgflow.run_overview.run_id is 'The run.';

comment on column pgflow.run_overview.flow_slug is 'Its flow.';
comment on column pgflow.run_overview.status is 'started, completed, failed or cancelled.';
comment on column pgflow.run_overview.priority is 'Its priority.';
comment on column pgflow.run_overview.started_at is 'When it was started.';
comment on column pgflow.run_overview.ended_at is 'When it ended; NULL while it is under way.';
comment on column pgflow.run_overview.duration is 'How long it took, or has taken so far.';
comment on column pgflow.run_overview.total_steps is 'Number of its steps.';
comment on column pgflow.run_overview.done_steps is 'How many are completed or skipped.';
comment on column pgflow.run_overview.running_steps is 'Steps that have started and not ended.';
comment on column pgflow.run_overview.failed_step_slug is 'The step that failed it.';
comment on column pgflow.run_overview.error_message is 'Why it failed or was cancelled.';
