-- Add a version without steps to a flow, which new runs take from the commit on.
--
-- Parameters:
--   flow_name: the name of the flow, which has to exist.
-- Returns: the slug of the version, such as name@2.
-- Locks: the rows of the flow's versions (for no key update); the caller keeps others from
--   compiling the flow.
-- Writes: flows.
-- Idempotent: no.
create or replace function pgflow._add_version(flow_name text)
returns text
language plpgsql
as $$
declare
  v_slug text;
begin
  perform pgflow._require_flow(_add_version.flow_name);
  insert into pgflow.flows as added (flow_slug)
  select _add_version.flow_name || '@' || max(flow.version) + 1
  from pgflow.flows as flow
  where flow.flow_name = _add_version.flow_name
  returning added.flow_slug into v_slug;
  perform pgflow._point_to_version(v_slug);
  return v_slug;
end
$$;

comment on function pgflow._add_version is
'Add a version without steps to a flow, which new runs take from the commit on.';
