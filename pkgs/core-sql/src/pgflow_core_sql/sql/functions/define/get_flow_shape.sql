-- Read the structure of a version of a flow as JSON.
--
-- Parameters:
--   flow_slug: the name of the flow.
--   version: the number of the version; NULL is the one that new runs take, or the first where
--     they take none.
-- Returns: {"flow_slug", "inputSchema", "steps"}, the name of the flow, the schema of its input and
--   the steps as a shape has them, without options; a schema that is not known is null. NULL where
--   there is no such version.
-- Errors: PF015 a version is named in place of a flow.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_flow_shape(flow_slug text, version int default null)
returns jsonb
language plpgsql
stable
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  perform pgflow._require_name(
    get_flow_shape.flow_slug,
    'give the name of the flow without @ and a number, and the number of the version apart'
  );
  return (
    select jsonb_build_object(
      'flow_slug', flow.flow_name, 'inputSchema', flow.input_schema, 'steps', (
        select coalesce(jsonb_agg(
          shaped.step || jsonb_build_object('outputSchema', step.output_schema)
          order by step.step_index
        ), '[]')
        from jsonb_array_elements(pgflow._get_flow_shape(flow.flow_slug) -> 'steps')
          as shaped (step)
        join pgflow.steps as step
          on step.flow_slug = flow.flow_slug and step.step_slug = shaped.step ->> 'slug'
      )
    )
    from pgflow.flows as flow
    where flow.flow_name = get_flow_shape.flow_slug
      and case
        when get_flow_shape.version is not null then flow.version = get_flow_shape.version
        else flow.flow_slug = coalesce(
          pgflow._current_version(flow.flow_name), get_flow_shape.flow_slug
        )
      end
  );
end
$$;

comment on function pgflow.get_flow_shape is
'Read the structure of a version of a flow as JSON.';
