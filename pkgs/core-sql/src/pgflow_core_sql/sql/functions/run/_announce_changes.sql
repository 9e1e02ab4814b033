-- Tell those who sleep or watch that runs have changed.
--
-- Costs a few look-ups while nobody does.
--
-- Parameters:
--   run_ids: the runs; may hold an id more than once.
-- Returns: nothing.
-- Locks: none; a notification is sent at commit.
-- Idempotent: yes.
create or replace function pgflow._announce_changes(run_ids uuid [])
returns void
language plpgsql
as $$
begin
  perform pgflow._send_events();
  if exists (select from pgflow.waiting_workers) then
    perform pgflow._wake_workers(pgflow._flows_with_work(array(
      select distinct run.flow_slug
      from pgflow.runs as run
      where run.run_id = any (_announce_changes.run_ids)
    )));
  end if;
  perform pgflow._wake_watchers(_announce_changes.run_ids, 'pgflow_runs');
end
$$;

comment on function pgflow._announce_changes is
'Tell those who sleep or watch that runs have changed.';
