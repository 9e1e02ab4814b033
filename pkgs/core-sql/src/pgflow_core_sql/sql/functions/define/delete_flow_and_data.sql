-- Delete a flow with its definition, all its versions, its runs and their history.
--
-- Parameters:
--   flow_slug: the name of the flow.
-- Returns: nothing; a flow that does not exist is no error. One version alone is not deleted.
-- Locks: the rows of the flow's versions (for update), then its runs by run_id (for update).
-- Writes: every table.
-- Idempotent: yes.
create or replace function pgflow.delete_flow_and_data(flow_slug text)
returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_slugs text[] := pgflow._lock_versions(delete_flow_and_data.flow_slug);
  v_run_ids uuid[];
begin
  perform from pgflow.runs as run
  where run.flow_slug = any (v_slugs)
  order by run.run_id
  for update;
  select array_agg(run.run_id) into v_run_ids
  from pgflow.runs as run
  where run.flow_slug = any (v_slugs);
  perform pgflow._delete_runs(v_run_ids);
  delete from pgflow.deps as dep where dep.flow_slug = any (v_slugs);
  delete from pgflow.steps as step where step.flow_slug = any (v_slugs);
  delete from pgflow.flows as flow where flow.flow_slug = any (v_slugs);
end
$$;

comment on function pgflow.delete_flow_and_data is
'Delete a flow with its definition, all its versions, its runs and their history.';
