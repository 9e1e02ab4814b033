-- Collect what a step receives from its dependencies.
--
-- Parameters:
--   run_id, flow_slug, step_slug: the step of the run.
--   without: a dependency to leave out, or NULL.
-- Returns: {dependency: output} over the completed dependencies that deliver one; {} where none.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._deps_outputs(
  run_id uuid, flow_slug text, step_slug text, without text default null
)
returns jsonb
language plpgsql
stable
as $$
begin
  -- PL/pgSQL keeps the plan; a body in SQL would be planned at each call.
  return (
    select coalesce(jsonb_object_agg(state.step_slug, state.output), '{}'::jsonb)
    from pgflow.deps as dep
    cross join lateral (
      select parent.step_slug, parent.output
      from pgflow.step_states as parent
      where parent.run_id = _deps_outputs.run_id and parent.step_slug = dep.dep_slug
        and parent.status = 'completed'
      offset 0
    ) as state
    where dep.flow_slug = _deps_outputs.flow_slug and dep.step_slug = _deps_outputs.step_slug
      and not dep.orders_only
      and dep.dep_slug is distinct from _deps_outputs.without
  );
end
$$;

comment on function pgflow._deps_outputs is
'Collect what a step receives from its dependencies.';
