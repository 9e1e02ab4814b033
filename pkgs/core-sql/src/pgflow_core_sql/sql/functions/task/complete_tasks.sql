-- Report the outputs of tasks, of any runs, in one call.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes: the tasks, as parallel arrays.
--   outputs: one output a task; JSON null is an output like any other.
--   attempts: attempts_count of each claim; NULL, or a NULL in it, is the current attempt.
-- Returns: a row for each report that changed nothing, with the reason in refused; see
--   _refuse_completions.
-- Errors: PF008 the arrays differ in length.
-- Locks: the runs, sorted, for key share, or for update where an output may fail its run; then
--   their tasks; then step_states; then the runs that move on, sorted, for no key update.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: yes, a report that was recorded before changes nothing.
create or replace function pgflow.complete_tasks(
  run_ids uuid [], step_slugs text [], task_indexes int [], outputs jsonb [],
  attempts int [] default null
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
  v_strength text;
begin
  perform pgflow._require_equal_lengths(array[
    cardinality(complete_tasks.run_ids), cardinality(complete_tasks.step_slugs),
    cardinality(complete_tasks.task_indexes), cardinality(complete_tasks.outputs),
    coalesce(nullif(cardinality(complete_tasks.attempts), 0), cardinality(complete_tasks.run_ids))
  ]);
  v_strength := pgflow._completion_lock(
    complete_tasks.run_ids, complete_tasks.step_slugs, complete_tasks.outputs
  );
  perform pgflow._lock_runs(complete_tasks.run_ids, v_strength);
  return query
  select report.*
  from pgflow._complete_batch(
    complete_tasks.run_ids, complete_tasks.step_slugs, complete_tasks.task_indexes,
    complete_tasks.outputs, complete_tasks.attempts, v_strength = 'exclusive'
  ) as report;
  perform pgflow._announce_changes(complete_tasks.run_ids);
end
$$;

comment on function pgflow.complete_tasks is
'Report the outputs of tasks, of any runs, in one call.';
