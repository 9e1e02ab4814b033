-- Raise unless a step's dependencies are distinct steps of its flow.
--
-- Parameters:
--   flow_slug, step_slug: the step.
--   dep_slugs: all that it waits for.
-- Returns: nothing.
-- Errors: PF003 a dependency does not exist. PF005 one is named twice, or is the step itself.
-- Locks: none; the caller holds the row of the flow.
-- Idempotent: yes.
create or replace function pgflow._require_deps(flow_slug text, step_slug text, dep_slugs text [])
returns void
language plpgsql
as $$
declare
  v_detail text := format('flow_slug=%s step_slug=%s',
    _require_deps.flow_slug, _require_deps.step_slug);
  v_missing text;
begin
  if _require_deps.step_slug = any (_require_deps.dep_slugs)
    or cardinality(_require_deps.dep_slugs)
      <> (select count(distinct dep.slug) from unnest(_require_deps.dep_slugs) as dep (slug)) then
    raise exception using
      errcode = 'PF005',
      message = format('step %s of flow %s names a dependency twice, a NULL, or itself: %s',
        _require_deps.step_slug, _require_deps.flow_slug, _require_deps.dep_slugs),
      detail = v_detail;
  end if;
  select dep.slug into v_missing
  from unnest(_require_deps.dep_slugs) as dep (slug)
  where not exists (
    select from pgflow.steps as step
    where step.flow_slug = _require_deps.flow_slug and step.step_slug = dep.slug
  )
  limit 1;
  if found then
    raise exception using
      errcode = 'PF003',
      message = format('step %s of flow %s depends on step %s, which does not exist',
        _require_deps.step_slug, _require_deps.flow_slug, left(v_missing, 200)),
      detail = v_detail,
      hint = 'add steps in topological order';
  end if;
end
$$;

comment on function pgflow._require_deps is
'Raise unless a step''s dependencies are distinct steps of its flow.';
