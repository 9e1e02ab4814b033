-- Ask to be notified of changes of runs, on channel pgflow_runs, its payload the run's id.
--
-- On channel pgflow_streams, of what their steps emit.
--
-- Parameters:
--   watcher_id: id of the client.
--   run_ids: the runs.
--   lifetime_seconds: how long, unless the call is repeated.
--   ends_only: whether to be notified only once a run has ended, or been deleted; NULL is false.
--     What the last call says of a run holds.
-- Returns: nothing. A transaction that was under way meanwhile may still commit a change without a
--   word, so a client also looks by itself, at growing intervals.
-- Errors: PF015 the watcher or a run is NULL. lock_not_available after 300 ms of waiting for
--   somebody who has deleted a run and not committed: whoever waits hears of no other run, either.
-- Locks: the watcher's marks.
-- Writes: run_watchers.
-- Idempotent: yes.
create or replace function pgflow.watch_runs(
  watcher_id uuid, run_ids uuid [], lifetime_seconds int default 60,
  ends_only boolean default false
)
returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set lock_timeout to '300ms'
as $$
declare
  -- In a variable: to a plan the clock is no constant that an index could be asked for.
  v_now timestamptz := clock_timestamp();
begin
  if watch_runs.watcher_id is null or array_position(watch_runs.run_ids, null) is not null then
    perform pgflow._refuse_argument(
      'neither who watches nor a run that is watched is NULL',
      format('watcher_id=%s', watch_runs.watcher_id)
    );
  end if;
  delete from pgflow.run_watchers as watcher
  where (watcher.run_id, watcher.watcher_id) in (
    select gone.run_id, gone.watcher_id
    from pgflow.run_watchers as gone
    where gone.expires_at < v_now
    limit 100
    for update skip locked
  );
  insert into pgflow.run_watchers as watcher (run_id, watcher_id, ends_only, expires_at)
  select watched.run_id, watch_runs.watcher_id, coalesce(watch_runs.ends_only, false),
    v_now + make_interval(secs => coalesce(watch_runs.lifetime_seconds, 60))
  from (
    select distinct each.run_id
    from unnest(watch_runs.run_ids) as each (run_id)
    order by each.run_id
  ) as watched
  on conflict on constraint run_watchers_pkey do update
  set ends_only = excluded.ends_only, expires_at = excluded.expires_at;
end
$$;

comment on function pgflow.watch_runs is
'Ask to be notified of changes of runs, on channel pgflow_runs, its payload the run''s id.';
