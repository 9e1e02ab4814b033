-- List a step and every step that depends on it, however indirectly.
--
-- Parameters:
--   flow_slug, step_slug: the step.
-- Returns: the slugs, in no order.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._step_and_dependents(flow_slug text, step_slug text)
returns text []
language plpgsql
stable
as $$
begin
  return array(
    with recursive reached as (
      select _step_and_dependents.step_slug collate "C" as step_slug
      union
      select dep.step_slug
      from reached
      join pgflow.deps as dep
        on dep.flow_slug = _step_and_dependents.flow_slug and dep.dep_slug = reached.step_slug
    )
    select reached.step_slug from reached
  );
end
$$;

comment on function pgflow._step_and_dependents is
'List a step and every step that depends on it, however indirectly.';
