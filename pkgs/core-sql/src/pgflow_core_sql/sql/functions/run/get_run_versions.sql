-- Read of each run a text that is another one whenever anything has happened to the run.
--
-- Parameters:
--   run_ids: the runs, each once.
--   is_first: whether the caller has just asked to be notified of changes of some of them.
-- Returns: {"versions": {run id: text}, "oldest_xid", "horizon"}; runs that do not exist are left
--   out. horizon is NULL unless is_first: once a later call returns an oldest_xid that is not below
--   it, all transactions have ended that may have changed a run before they could know of the
--   watch; from then on every change is notified. (Not so one of a transaction in repeatable read
--   that began before the watch. A version tells of that, too.)
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_run_versions(run_ids uuid [], is_first boolean default false)
returns jsonb
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
begin
  return jsonb_build_object(
    'versions', (
      select coalesce(jsonb_object_agg(run.run_id, concat_ws(
        '.', run.status, run.reopened_count, run.remaining_steps, states.remaining_tasks,
        attempts.failed, streams.items
      )), '{}')
      from unnest(get_run_versions.run_ids) as asked (run_id)
      join pgflow.runs as run on run.run_id = asked.run_id
      cross join lateral (
        select coalesce(sum(state.remaining_tasks), 0) as remaining_tasks
        from pgflow.step_states as state
        where state.run_id = asked.run_id
      ) as states
      cross join lateral (
        select count(*) as failed
        from pgflow.task_attempts as attempt
        where attempt.run_id = asked.run_id
      ) as attempts
      cross join lateral (
        select coalesce(sum(stream.last_position), 0) as items
        from pgflow.streams as stream
        where stream.run_id = asked.run_id
      ) as streams
    ),
    'oldest_xid', pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    -- Its own transaction's: every one that began to write earlier has a lower one.
    'horizon', case
      when get_run_versions.is_first then pg_current_xact_id()::text::bigint
    end
  );
end
$$;

comment on function pgflow.get_run_versions is
'Read of each run a text that is another one whenever anything has happened to the run.';
