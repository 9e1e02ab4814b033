-- Find the version of a flow that has the structure of a shape.
--
-- Parameters:
--   flow_name: the name of the flow.
--   shape: the shape, as _create_flow_from_shape takes it.
-- Returns: the slug of the version, of several the one that new runs take or else the youngest;
--   NULL where none has it.
-- Locks: none; the caller keeps others from compiling the flow.
-- Idempotent: yes.
create or replace function pgflow._find_version(flow_name text, shape jsonb)
returns text
language plpgsql
as $$
begin
  return (
    select flow.flow_slug
    from pgflow.flows as flow
    where flow.flow_name = _find_version.flow_name
      and cardinality(pgflow._compare_flow_shapes(
        _find_version.shape, pgflow._get_flow_shape(flow.flow_slug)
      )) = 0
    order by flow.flow_slug is distinct from pgflow._current_version(flow.flow_name),
      flow.version desc
    limit 1
  );
end
$$;

comment on function pgflow._find_version is
'Find the version of a flow that has the structure of a shape.';
