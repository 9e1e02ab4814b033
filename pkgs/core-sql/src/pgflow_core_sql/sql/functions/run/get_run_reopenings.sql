-- Read what a run had come to each time before it was retried or restarted.
--
-- Parameters:
--   run_id: the run.
--   after: leaves out so many of the first times.
-- Returns: for each time, in order, its number, counted from 1; the steps that were put back; what
--   get_run_progress said right before; and when it was. Nothing where there is no such run.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_run_reopenings(run_id uuid, after int default 0)
returns setof pgflow.run_reopenings
language plpgsql
stable
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
as $$
begin
  return query
  select past.*
  from pgflow.run_reopenings as past
  where past.run_id = get_run_reopenings.run_id
    and past.reopening > coalesce(get_run_reopenings.after, 0)
    -- Whoever may not see the run, by a policy of the owner's, sees nothing of it.
    and exists (select from pgflow.runs as run where run.run_id = past.run_id offset 0)
  order by past.reopening;
end
$$;

comment on function pgflow.get_run_reopenings is
'Read what a run had come to each time before it was retried or restarted.';
