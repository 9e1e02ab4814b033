-- Ask no longer to be notified of changes of runs.
--
-- Parameters:
--   watcher_id: id of the client.
--   run_ids: the runs.
-- Returns: nothing.
-- Locks: the watcher's marks, skipping those that others hold, who are about to delete them.
-- Writes: run_watchers.
-- Idempotent: yes.
create or replace function pgflow.unwatch_runs(watcher_id uuid, run_ids uuid [])
returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  delete from pgflow.run_watchers as watcher
  where watcher.ctid = any (array(
    select free.ctid
    from pgflow.run_watchers as free
    where free.watcher_id = unwatch_runs.watcher_id
      and free.run_id = any (unwatch_runs.run_ids)
    for update skip locked
  ));
end
$$;

comment on function pgflow.unwatch_runs is
'Ask no longer to be notified of changes of runs.';
