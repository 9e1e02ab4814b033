-- Report failed attempts of tasks, of any runs, in one call.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes: the tasks, as parallel arrays.
--   error_messages: what went wrong with each; shortened to 10,000 characters.
--   attempts: attempts_count of each claim; NULL, or a NULL in it, is the current attempt.
--   are_final: true ends the task without another attempt; NULL is false.
--   retry_delays: seconds until the next attempt in place of the computed delay; NULL computes it.
--   error_types: names of the exceptions' classes, or NULL; shortened to 200 characters.
--   tracebacks: traceback texts, or NULL; of a long one the last 10,000 characters are kept.
-- Returns: a row for each report that changed nothing, with the reason in refused; see
--   _refuse_failures.
-- Errors: PF008 the arrays differ in length.
-- Locks: the runs, sorted, for update where a task may have used up its attempts; then their tasks
--   and step_states.
-- Writes: runs, step_states, step_tasks, task_attempts.
-- Idempotent: yes, an attempt fails once.
create or replace function pgflow.fail_tasks(
  run_ids uuid [], step_slugs text [], task_indexes int [], error_messages text [],
  attempts int [] default null, are_final boolean [] default null,
  retry_delays int [] default null, error_types text [] default null,
  tracebacks text [] default null
)
returns setof pgflow.step_task_record
language plpgsql
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
declare
  v_failures pgflow.failure_report[] := pgflow._failure_reports(
    fail_tasks.run_ids, fail_tasks.step_slugs, fail_tasks.task_indexes,
    fail_tasks.error_messages, fail_tasks.attempts, fail_tasks.are_final,
    fail_tasks.retry_delays, fail_tasks.error_types, fail_tasks.tracebacks
  );
  v_strength text := pgflow._failure_lock(v_failures);
begin
  perform pgflow._lock_runs(fail_tasks.run_ids, v_strength);
  return query
  select report.*
  from pgflow._fail_batch(v_failures, v_strength = 'exclusive') as report;
  perform pgflow._announce_changes(fail_tasks.run_ids);
end
$$;

comment on function pgflow.fail_tasks is
'Report failed attempts of tasks, of any runs, in one call.';
