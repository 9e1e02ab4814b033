-- Lock runs in the order of their ids: the first lock that any report or command takes.
--
-- Parameters:
--   run_ids: the runs; may hold an id more than once.
--   strength: 'share' declares the intent to report tasks and lets others do the same;
--     'step' is for reports that have ended steps and go on to write the runs, which they hold as
--     'share' already, as others may;
--     'exclusive' is for whatever may end a step or run early and has to settle all its tasks.
-- Returns: nothing.
-- Locks: the runs, sorted: for key share, for no key update, or for update. Who wants them for
--   update is not kept waiting by reports that begin later; see _ask_for_way.
-- Idempotent: yes.
create or replace function pgflow._lock_runs(run_ids uuid [], strength text)
returns void
language plpgsql
as $$
begin
  if _lock_runs.strength = 'exclusive' then
    perform pgflow._ask_for_way(_lock_runs.run_ids);
    perform from pgflow.runs as run where run.run_id = any (_lock_runs.run_ids)
    order by run.run_id for update;
  elsif _lock_runs.strength = 'step' then
    perform from pgflow.runs as run where run.run_id = any (_lock_runs.run_ids)
    order by run.run_id for no key update;
  else
    perform pgflow._give_way(_lock_runs.run_ids);
    perform from pgflow.runs as run where run.run_id = any (_lock_runs.run_ids)
    order by run.run_id for key share;
  end if;
end
$$;

comment on function pgflow._lock_runs is
'Lock runs in the order of their ids: the first lock that any report or command takes.';
