-- Write what has to be the same of a step that has ended, for its run to go on as another version.
--
-- Parameters:
--   flow_slug, step_slug: the step, in its version.
-- Returns: {"type", "array to map over", "dependencies"}; NULL where there is no such step.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._structure_of(flow_slug text, step_slug text)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object(
      'type', step.step_type, 'array to map over', step.map_over, 'dependencies', coalesce(
        (
          select jsonb_agg(dep.dep_slug order by dep.dep_slug)
          from pgflow.deps as dep
          where dep.flow_slug = step.flow_slug and dep.step_slug = step.step_slug
        ),
        '[]'
      )
    )
    from pgflow.steps as step
    where step.flow_slug = _structure_of.flow_slug and step.step_slug = _structure_of.step_slug
  );
end
$$;

comment on function pgflow._structure_of is
'Write what has to be the same of a step that has ended, for its run to go on as another version.';
