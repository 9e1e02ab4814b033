-- Read the structure of a flow as JSON.
--
-- Parameters:
--   flow_slug: the flow.
-- Returns: {"steps": [{"slug", "stepType", "dependencies", "after", "mapOver", "whenUnmet",
--   "whenExhausted", "requiredInputPattern", "forbiddenInputPattern"}]} in step order; slugs of
--   dependencies are sorted; a pattern is {"defined": false} or {"defined": true, "value": ...}.
--   No steps for a flow that does not exist.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._get_flow_shape(flow_slug text)
returns jsonb
language sql
stable
begin atomic
  select jsonb_build_object('steps', coalesce(jsonb_agg(
    jsonb_build_object(
      'slug', step.step_slug,
      'stepType', step.step_type,
      'dependencies', edge.all_slugs,
      'after', edge.after_slugs,
      'mapOver', step.map_over,
      'whenUnmet', step.when_unmet,
      'whenExhausted', step.when_exhausted,
      'requiredInputPattern', case
        when step.required_input_pattern is null then '{"defined": false}'::jsonb
        else jsonb_build_object('defined', true, 'value', step.required_input_pattern)
      end,
      'forbiddenInputPattern', case
        when step.forbidden_input_pattern is null then '{"defined": false}'::jsonb
        else jsonb_build_object('defined', true, 'value', step.forbidden_input_pattern)
      end
    ) order by step.step_index
  ), '[]'::jsonb))
  from pgflow.steps as step
  cross join lateral (
    select
      coalesce(jsonb_agg(dep.dep_slug order by dep.dep_slug), '[]'::jsonb) as all_slugs,
      coalesce(
        jsonb_agg(dep.dep_slug order by dep.dep_slug) filter (where dep.orders_only), '[]'::jsonb
      ) as after_slugs
    from pgflow.deps as dep
    where dep.flow_slug = step.flow_slug and dep.step_slug = step.step_slug
  ) as edge
  where step.flow_slug = _get_flow_shape.flow_slug;
end;

comment on function pgflow._get_flow_shape is 'Read the structure of a flow as JSON.';
