-- Take tasks from workers that are lost, and from attempts that have long outlived their timeout.
--
-- A worker is lost when it has stopped, or has not beaten for its lease. An attempt has outlived
-- its timeout 30 seconds after it; workers end it themselves long before. The attempt that is taken
-- counts as failed: the task is queued again at once, or ends as any that is exhausted.
--
-- Parameters:
--   quantity: how many tasks at most in one call.
-- Returns: how many tasks were taken; 0 where another session is at it.
-- Locks: an advisory lock, so that one session does this at a time; then as fail_tasks.
-- Writes: runs, step_states, step_tasks, task_attempts.
-- Idempotent: yes.
create or replace function pgflow.requeue_stalled_tasks(quantity int default 1000)
returns int
language plpgsql
security definer
set search_path to ''
set plan_cache_mode to force_generic_plan
set join_collapse_limit to 1
set enable_seqscan to off
set enable_bitmapscan to off
set enable_hashjoin to off
set enable_mergejoin to off
set jit to off
as $$
declare
  v_stalled record;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('pgflow requeue_stalled_tasks', 0)) then
    return 0;
  end if;
  select
    array_agg(task.run_id) as run_ids, array_agg(task.step_slug) as step_slugs,
    array_agg(task.task_index) as task_indexes, array_agg(task.attempts_count) as attempts,
    array_agg(task.reason) as reasons, array_agg(0) as delays
  into v_stalled
  from pgflow._find_stalled_tasks(requeue_stalled_tasks.quantity) as task;
  if v_stalled.run_ids is null then
    return 0;
  end if;
  perform from pgflow.fail_tasks(
    v_stalled.run_ids, v_stalled.step_slugs, v_stalled.task_indexes, v_stalled.reasons,
    v_stalled.attempts, null, v_stalled.delays
  );
  update pgflow.step_tasks as task
  set requeued_count = task.requeued_count + 1, last_requeued_at = now()
  from unnest(
    v_stalled.run_ids, v_stalled.step_slugs, v_stalled.task_indexes, v_stalled.attempts
  ) as stalled (run_id, step_slug, task_index, attempt)
  where task.run_id = stalled.run_id and task.step_slug = stalled.step_slug
    and task.task_index = stalled.task_index and task.status = 'queued'
    and task.attempts_count = stalled.attempt;
  return cardinality(v_stalled.run_ids);
end
$$;

comment on function pgflow.requeue_stalled_tasks is
'Take tasks from workers that are lost, and from attempts that have long outlived their timeout.';
