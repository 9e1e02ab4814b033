-- Record on earlier steps what a new step means for them.
--
-- Parameters:
--   step: the new step.
--   dep_slugs: all that it waits for.
-- Returns: nothing.
-- Locks: none; the caller holds the row of the flow.
-- Writes: steps (is_leaf, feeds_map, may_fail_run).
-- Idempotent: yes.
create or replace function pgflow._mark_ancestors(step pgflow.steps, dep_slugs text [])
returns void
language plpgsql
as $$
begin
  update pgflow.steps as dep
  set is_leaf = false,
    feeds_map = dep.feeds_map
      or (
        dep.step_type = 'single'
        and dep.step_slug is not distinct from _mark_ancestors.step.map_over
      )
  where dep.flow_slug = _mark_ancestors.step.flow_slug
    and dep.step_slug = any (_mark_ancestors.dep_slugs);
  if _mark_ancestors.step.when_unmet = 'fail'
    and num_nonnulls(_mark_ancestors.step.required_input_pattern,
      _mark_ancestors.step.forbidden_input_pattern) > 0 then
    with recursive ancestor as (
      select dep.slug collate "C" as step_slug from unnest(_mark_ancestors.dep_slugs) as dep (slug)
      union
      select edge.dep_slug
      from ancestor
      join pgflow.deps as edge
        on edge.flow_slug = _mark_ancestors.step.flow_slug and edge.step_slug = ancestor.step_slug
    )
    update pgflow.steps as dep
    set may_fail_run = true
    from ancestor
    where dep.flow_slug = _mark_ancestors.step.flow_slug and dep.step_slug = ancestor.step_slug;
  end if;
end
$$;

comment on function pgflow._mark_ancestors is
'Record on earlier steps what a new step means for them.';
