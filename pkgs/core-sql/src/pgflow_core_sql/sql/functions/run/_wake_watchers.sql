-- Tell those who watch runs that there is something new.
--
-- Who waits for the end of a run is told of it alone.
--
-- Parameters:
--   run_ids: the runs; may hold an id more than once.
--   channel: pgflow_runs for changes of the runs, pgflow_streams for what their steps emit.
-- Returns: nothing.
-- Locks: none; a notification is sent at commit.
-- Idempotent: yes.
create or replace function pgflow._wake_watchers(run_ids uuid [], channel text)
returns void
language plpgsql
as $$
begin
  if exists (select from pgflow.run_watchers) then
    perform pg_notify(_wake_watchers.channel, watched.run_id::text)
    from (
      select distinct watcher.run_id
      from pgflow.run_watchers as watcher
      where watcher.run_id = any (_wake_watchers.run_ids)
        and watcher.expires_at > clock_timestamp()
        and (not watcher.ends_only or not exists (
          select from pgflow.runs as run
          where run.run_id = watcher.run_id and run.status = 'started'
        ))
    ) as watched;
  end if;
end
$$;

comment on function pgflow._wake_watchers is
'Tell those who watch runs that there is something new.';
