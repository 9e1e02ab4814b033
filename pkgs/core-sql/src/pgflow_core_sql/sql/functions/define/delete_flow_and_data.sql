-- Delete a flow with its definition, all its versions, its runs and their history.
--
-- Parameters:
--   flow_slug: the name of the flow.
-- Returns: nothing; a flow that does not exist is no error.
-- Errors: PF015 a version is named, which is not deleted alone; or the transaction is REPEATABLE
--   READ or SERIALIZABLE, which may not see the runs of others.
-- Locks: the name of the flow against compiling, by an advisory lock; the rows of its versions (for
--   update); then its runs by run_id (for update).
-- Writes: every table.
-- Idempotent: yes.
create or replace function pgflow.delete_flow_and_data(flow_slug text)
returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_slugs text[];
  v_run_ids uuid[];
begin
  perform pgflow._require_name(
    delete_flow_and_data.flow_slug,
    'a flow is deleted with all its versions: name it without @ and a number, or retire the version'
  );
  perform pgflow._require_read_committed('deleting a flow', delete_flow_and_data.flow_slug);
  -- As compiling does: one that waits for our locks would go by versions that are gone by then.
  perform pg_advisory_xact_lock(
    hashtextextended('pgflow compile ' || delete_flow_and_data.flow_slug, 0)
  );
  v_slugs := pgflow._lock_versions(delete_flow_and_data.flow_slug);
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
