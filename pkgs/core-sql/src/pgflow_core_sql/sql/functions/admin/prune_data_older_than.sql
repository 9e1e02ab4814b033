-- Delete runs that ended longer ago than a span, with their history, a bounded number at a time.
--
-- Also lost workers and keys that expired, of longer ago than that. Definitions and
-- runs that are under way stay, whatever their age. Safe beside running workers: what others hold
-- is passed over, and nothing is waited for.
--
-- Parameters:
--   retention: how long runs are kept after their end; not negative.
--   quantity: how many runs at most, and as many keys and workers. Fewer where they have more than
--     100,000 tasks and stream items together. NULL is 1000.
-- Returns: how many runs were deleted. Call it again, in another transaction, until that is 0.
-- Errors: PF015 retention is NULL or negative, or quantity is less than 1.
-- Locks: the runs, their keys, and workers, skipping those that others hold.
-- Writes: runs, step_states, step_tasks, task_attempts, streams, stream_items, run_keys,
--   run_watchers, workers.
-- Idempotent: yes.
create or replace function pgflow.prune_data_older_than(
  retention interval, quantity int default 1000
)
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
  -- Further back, the calendar ends.
  v_before timestamptz := now() - least(prune_data_older_than.retention, '4000 years');
  v_quantity int := coalesce(prune_data_older_than.quantity, 1000);
  v_run_ids uuid[];
begin
  if (prune_data_older_than.retention >= '0') is not true or v_quantity < 1 then
    raise exception using
      errcode = 'PF015',
      message = 'retention has to be a span that is not negative, and quantity at least 1',
      detail = format('retention=%s quantity=%s', prune_data_older_than.retention, v_quantity);
  end if;
  v_run_ids := pgflow._leave_out_keyed(
    pgflow._first_of_runs(pgflow._lock_ended_runs(v_before, v_quantity), 100000)
  );
  perform pgflow._delete_runs(v_run_ids);
  perform pgflow._prune_participants(v_before, v_quantity);
  return cardinality(v_run_ids);
end
$$;

comment on function pgflow.prune_data_older_than is
'Delete runs that ended longer ago than a span, with their history, a bounded number at a time.';
