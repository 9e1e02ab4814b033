-- Raise where a step is added again with another structure than it has.
--
-- Parameters:
--   saved: the step as it is.
--   wanted: the step as it was asked for.
--   deps_slugs, after_slugs: the dependencies that were asked for.
-- Returns: nothing.
-- Errors: PF005 they differ in more than options.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_same_structure(
  saved pgflow.steps, wanted pgflow.steps, deps_slugs text [], after_slugs text []
)
returns void
language plpgsql
as $$
declare
  v_saved_deps text[];
  v_wanted_deps text[];
begin
  select array_agg(dep.dep_slug || ' ' || dep.orders_only order by dep.dep_slug) into v_saved_deps
  from pgflow.deps as dep
  where dep.flow_slug = _require_same_structure.saved.flow_slug
    and dep.step_slug = _require_same_structure.saved.step_slug;
  select array_agg(dep.slug || ' ' || dep.orders_only order by dep.slug collate "C")
  into v_wanted_deps
  from (
    select unnest(_require_same_structure.deps_slugs) as slug, false as orders_only
    union all
    select unnest(_require_same_structure.after_slugs), true
  ) as dep;
  if (saved.step_type, saved.map_over, saved.when_unmet, saved.when_exhausted,
      saved.required_input_pattern, saved.forbidden_input_pattern, v_saved_deps)
    is distinct from
    (wanted.step_type, wanted.map_over, wanted.when_unmet, wanted.when_exhausted,
      wanted.required_input_pattern, wanted.forbidden_input_pattern, v_wanted_deps) then
    raise exception using
      errcode = 'PF005',
      message = format('step %s of flow %s exists with another structure',
        saved.step_slug, saved.flow_slug),
      detail = format('flow_slug=%s step_slug=%s', saved.flow_slug, saved.step_slug),
      hint = 'type, dependencies, conditions and modes of a step are fixed; '
        'give the changed flow another slug, or make a version of it with ensure_flow_compiled';
  end if;
end
$$;

comment on function pgflow._require_same_structure is
'Raise where a step is added again with another structure than it has.';
