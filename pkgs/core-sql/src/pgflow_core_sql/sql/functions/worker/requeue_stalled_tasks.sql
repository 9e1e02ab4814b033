-- Take tasks from workers that are lost, and from attempts that have long outlived their timeout.
--
-- A worker is lost when it has stopped, or has not beaten for its lease. An attempt has outlived
-- its timeout 30 seconds after it; workers end it themselves long before. The attempt that is taken
-- counts as failed: the task is queued again at once, or ends as any that is exhausted. Tasks of
-- runs that another transaction does not let go of are left for the next call. A call that takes
-- nothing prunes by the policies, where setup_maintenance left that to the workers.
--
-- Parameters:
--   quantity: how many tasks at most in one call.
-- Returns: how many tasks were taken; 0 where another session is at it.
-- Errors: PF015 the quantity is negative.
-- Locks: an advisory lock, so that one session does this at a time; then as fail_tasks; then marks
--   in waiting_workers; or as prune_by_policy.
-- Writes: runs, step_states, step_tasks, task_attempts, waiting_workers; or as prune_by_policy.
-- Idempotent: yes.
create or replace function pgflow.requeue_stalled_tasks(quantity int default 1000)
returns int
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
  v_stalled pgflow.failure_report[];
  v_run_ids uuid[];
  v_strength text;
  v_taken int := 0;
begin
  perform pgflow._require_quantity(requeue_stalled_tasks.quantity);
  if not pg_try_advisory_xact_lock(hashtextextended('pgflow requeue_stalled_tasks', 0)) then
    return 0;
  end if;
  v_stalled := pgflow._find_stalled_tasks(requeue_stalled_tasks.quantity);
  if cardinality(v_stalled) > 0 then
    v_run_ids := array(select stalled.run_id from unnest(v_stalled) as stalled);
    v_strength := pgflow._failure_lock(v_stalled);
    v_run_ids := pgflow._lock_free_runs(v_run_ids, v_strength);
    v_stalled := array(
      select stalled from unnest(v_stalled) as stalled where stalled.run_id = any (v_run_ids)
    );
    update pgflow.step_tasks as task
    set requeued_count = task.requeued_count + 1, last_requeued_at = now()
    from unnest(v_stalled) as stalled
    cross join lateral (
      select each.ctid as place, each.tableoid as partition
      from pgflow.step_tasks as each
      where each.run_id = stalled.run_id and each.step_slug = stalled.step_slug
        and each.task_index = stalled.task_index and each.status = 'started'
        and each.attempts_count = stalled.attempt
      offset 0
    ) as found
    where task.ctid = found.place and task.tableoid = found.partition
      and task.status = 'started' and task.attempts_count = stalled.attempt;
    get diagnostics v_taken = row_count;
    perform from pgflow._fail_batch(v_stalled, v_strength = 'exclusive');
    perform pgflow._announce_changes(v_run_ids);
  end if;
  perform pgflow._forget_lost_workers();
  if v_taken = 0 then
    perform pgflow._prune_in_sweep(greatest(requeue_stalled_tasks.quantity / 5, 1));
  end if;
  return v_taken;
end
$$;

comment on function pgflow.requeue_stalled_tasks is
'Take tasks from workers that are lost, and from attempts that have long outlived their timeout.';
