-- Delete runs that ended longer ago than the policy of their flow keeps them.
--
-- Also lost workers and expired keys of before the longest of the policies.
-- Otherwise as prune_data_older_than. Flows that have no policy, nor a common one, keep all.
--
-- Parameters:
--   quantity: how many runs at most, and as many keys and workers. Fewer where they have more than
--     100 times as many tasks and stream items together. NULL is 1000.
-- Returns: how many runs were deleted. Call it again, in another transaction, until that is 0.
-- Errors: PF015 quantity is less than 1.
-- Locks: the runs, their keys, and workers, skipping those that others hold.
-- Writes: runs, step_states, step_tasks, task_attempts, streams, stream_items, run_keys,
--   run_watchers, workers.
-- Idempotent: yes.
create or replace function pgflow.prune_by_policy(quantity int default 1000)
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
  v_quantity int := coalesce(prune_by_policy.quantity, 1000);
  v_run_ids uuid[];
begin
  if v_quantity < 1 then
    perform pgflow._refuse_argument(
      'quantity has to be at least 1', format('quantity=%s', v_quantity)
    );
  end if;
  v_run_ids := pgflow._leave_out_keyed(pgflow._first_of_runs(
    pgflow._lock_runs_past_retention(v_quantity), 100::bigint * v_quantity
  ));
  perform pgflow._delete_runs(v_run_ids);
  perform pgflow._prune_participants(now() - least(policies.longest, '4000 years'), v_quantity)
  from (
    select max(each.retention) as longest from pgflow.retention_policies as each
  ) as policies
  where policies.longest is not null;
  return cardinality(v_run_ids);
end
$$;

comment on function pgflow.prune_by_policy is
'Delete runs that ended longer ago than the policy of their flow keeps them.';
