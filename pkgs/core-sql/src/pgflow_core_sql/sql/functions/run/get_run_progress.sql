-- Read how far a run has come, without any of its inputs and outputs.
--
-- Parameters:
--   run_id: the run.
-- Returns: NULL where there is no such run, or {"run_id", "flow_slug", "status", "remaining_steps",
--   "error_message", "failed_step_slug", "reopened_count", "started_at", "completed_at",
--   "failed_at", "cancelled_at", "read_at", "steps": [{"step_slug", "step_type", "status",
--   "initial_tasks", "remaining_tasks", "failed_attempts", "attempt_failed_at", "error_message",
--   "skip_reason", "started_at", "completed_at", "failed_at", "skipped_at", "cancelled_at"}]},
--   steps in step order.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_run_progress(run_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path to pg_catalog, pg_temp
set plan_cache_mode to force_generic_plan
set join_collapse_limit to 1
set enable_seqscan to off
set enable_bitmapscan to off
set enable_hashjoin to off
set enable_mergejoin to off
set jit to off
as $$
begin
  return (
    select jsonb_build_object(
      'run_id', run.run_id, 'flow_slug', run.flow_slug, 'status', run.status,
      'remaining_steps', run.remaining_steps, 'error_message', run.error_message,
      'failed_step_slug', run.failed_step_slug, 'reopened_count', run.reopened_count,
      'started_at', run.started_at,
      'completed_at', run.completed_at, 'failed_at', run.failed_at,
      'cancelled_at', run.cancelled_at, 'read_at', clock_timestamp(),
      'steps', coalesce(states.steps, '[]')
    )
    from pgflow.runs as run
    cross join lateral (
      select jsonb_agg(jsonb_build_object(
        'step_slug', step.step_slug, 'step_type', step.step_type, 'status', state.status,
        'initial_tasks', state.initial_tasks, 'remaining_tasks', state.remaining_tasks,
        'failed_attempts', failed.attempts, 'attempt_failed_at', failed.latest,
        'error_message', state.error_message, 'skip_reason', state.skip_reason,
        'started_at', state.started_at, 'completed_at', state.completed_at,
        'failed_at', state.failed_at, 'skipped_at', state.skipped_at,
        'cancelled_at', state.cancelled_at
      ) order by step.step_index) as steps
      from pgflow.step_states as state
      join pgflow.steps as step
        on step.flow_slug = state.flow_slug and step.step_slug = state.step_slug
      cross join lateral (
        select count(*) as attempts, max(attempt.failed_at) as latest
        from pgflow.task_attempts as attempt
        where attempt.run_id = state.run_id and attempt.step_slug = state.step_slug
      ) as failed
      where state.run_id = run.run_id
    ) as states
    where run.run_id = get_run_progress.run_id
  );
end
$$;

comment on function pgflow.get_run_progress is
'Read how far a run has come, without any of its inputs and outputs.';
