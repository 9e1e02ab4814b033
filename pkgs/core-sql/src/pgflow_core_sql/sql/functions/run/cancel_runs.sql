-- Cancel runs: what is queued or waiting ends at once, and late reports are refused.
--
-- Handlers under way are told by their workers, which ask find_lost_attempts, within two seconds.
--
-- Parameters:
--   run_ids: the runs; those that have ended, or do not exist, stay as they are.
--   reason: kept as error_message of the runs; NULL for none.
-- Returns: the ids of the runs that are cancelled now.
-- Locks: the runs, sorted, for update; then their step_states and step_tasks.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: yes.
create or replace function pgflow.cancel_runs(run_ids uuid [], reason text default null)
returns setof uuid
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
  v_cancelled uuid[];
begin
  perform pgflow._lock_runs(cancel_runs.run_ids, 'exclusive');
  with cancelled as (
    update pgflow.runs as run
    set status = 'cancelled', cancelled_at = greatest(now(), run.started_at),
      error_message = left(cancel_runs.reason, 10000)
    where run.run_id = any (cancel_runs.run_ids) and run.status = 'started'
    returning run.run_id
  ),
  states as (
    update pgflow.step_states as state
    set status = 'cancelled', cancelled_at = greatest(now(), state.started_at)
    from cancelled
    where state.run_id = cancelled.run_id and state.status in ('created', 'started')
  )
  select array_agg(cancelled.run_id) into v_cancelled
  from cancelled;
  perform pgflow._end_tasks(v_cancelled, null, 'cancelled');
  perform pgflow._announce_changes(v_cancelled);
  return query select ended.run_id from unnest(v_cancelled) as ended (run_id);
end
$$;

comment on function pgflow.cancel_runs is
'Cancel runs: what is queued or waiting ends at once, and late reports are refused.';
