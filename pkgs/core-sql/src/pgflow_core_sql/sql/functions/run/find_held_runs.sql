-- Find the runs that another transaction holds, so that nothing of them can be reported now.
--
-- A worker asks when a report has waited for long, and reports the rest meanwhile. A run is also
-- found where somebody just moves it on; that passes.
--
-- Parameters:
--   run_ids: the runs to look at.
-- Returns: those that are held.
-- Locks: the other runs, sorted, for no key update, until the caller's transaction ends.
-- Idempotent: yes.
create or replace function pgflow.find_held_runs(run_ids uuid [])
returns setof uuid
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  return query
  with free as materialized (
    select run.run_id from pgflow.runs as run
    where run.run_id = any (find_held_runs.run_ids)
    order by run.run_id for no key update skip locked
  )
  select run.run_id from pgflow.runs as run
  where run.run_id = any (find_held_runs.run_ids)
    and run.run_id not in (select free.run_id from free);
end
$$;

comment on function pgflow.find_held_runs is
'Find the runs that another transaction holds, so that nothing of them can be reported now.';
