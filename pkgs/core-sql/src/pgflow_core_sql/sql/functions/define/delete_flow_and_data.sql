-- Delete a flow with its definition, its runs and their history.
--
-- Parameters:
--   flow_slug: the flow.
-- Returns: nothing; a flow that does not exist is no error.
-- Locks: the row of the flow (for update), then its runs by run_id (for update).
-- Writes: every table.
-- Idempotent: yes.
create or replace function pgflow.delete_flow_and_data(flow_slug text)
returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_run_ids uuid[];
begin
  perform from pgflow.flows as flow
  where flow.flow_slug = delete_flow_and_data.flow_slug
  for update;
  perform from pgflow.runs as run
  where run.flow_slug = delete_flow_and_data.flow_slug
  order by run.run_id
  for update;
  select array_agg(run.run_id) into v_run_ids
  from pgflow.runs as run
  where run.flow_slug = delete_flow_and_data.flow_slug;
  perform pgflow._delete_runs(v_run_ids);
  delete from pgflow.deps as dep where dep.flow_slug = delete_flow_and_data.flow_slug;
  delete from pgflow.steps as step where step.flow_slug = delete_flow_and_data.flow_slug;
  delete from pgflow.flows as flow where flow.flow_slug = delete_flow_and_data.flow_slug;
end
$$;

comment on function pgflow.delete_flow_and_data is
'Delete a flow with its definition, its runs and their history.';
