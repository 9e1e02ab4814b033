-- List the steps of a flow that neither lead to a step nor depend on it.
--
-- Parameters:
--   flow_slug, step_slug: the step.
-- Returns: the slugs, in no order; never NULL.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._steps_beside(flow_slug text, step_slug text)
returns text []
language plpgsql
stable
as $$
begin
  return array(
    with recursive before as (
      select _steps_beside.step_slug collate "C" as step_slug
      union
      select dep.dep_slug
      from before
      join pgflow.deps as dep
        on dep.flow_slug = _steps_beside.flow_slug and dep.step_slug = before.step_slug
    )
    select step.step_slug
    from pgflow.steps as step
    where step.flow_slug = _steps_beside.flow_slug
      and step.step_slug <> all (
        pgflow._step_and_dependents(_steps_beside.flow_slug, _steps_beside.step_slug)
      )
      and step.step_slug not in (select before.step_slug from before)
  );
end
$$;

comment on function pgflow._steps_beside is
'List the steps of a flow that neither lead to a step nor depend on it.';
