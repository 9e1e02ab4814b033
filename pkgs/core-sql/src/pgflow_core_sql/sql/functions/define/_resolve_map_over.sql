-- Find what a step maps over, and raise where its type, dependencies and map_over contradict.
--
-- Parameters:
--   flow_slug, step_slug: the step, for messages.
--   step_type: 'single' or 'map'.
--   deps_slugs: the dependencies whose outputs it receives.
--   map_over: what the caller gave, or NULL.
-- Returns: NULL for a single step; a dependency's slug or 'run' for a map.
-- Errors: PF005 they contradict.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._resolve_map_over(
  flow_slug text, step_slug text, step_type text, deps_slugs text [], map_over text
)
returns text
language plpgsql
immutable
as $$
declare
  v_wrong text;
begin
  v_wrong := case
    when _resolve_map_over.step_type is null
      or _resolve_map_over.step_type not in ('single', 'map')
      then 'step_type has to be single or map'
    when _resolve_map_over.step_type = 'single' and _resolve_map_over.map_over is not null
      then 'only a map has map_over'
    when _resolve_map_over.step_type = 'map' and _resolve_map_over.map_over is null
      and cardinality(_resolve_map_over.deps_slugs) > 1
      then 'a map with several dependencies has to say which one it maps over (map_over)'
    when _resolve_map_over.map_over <> 'run'
      and _resolve_map_over.map_over <> all (_resolve_map_over.deps_slugs)
      then 'map_over has to be one of deps_slugs, or run'
  end;
  if v_wrong is not null then
    raise exception using
      errcode = 'PF005',
      message = format('step %s of flow %s cannot be defined so: %s',
        _resolve_map_over.step_slug, _resolve_map_over.flow_slug, v_wrong),
      detail = format('flow_slug=%s step_slug=%s',
        _resolve_map_over.flow_slug, _resolve_map_over.step_slug);
  end if;
  return case
    when _resolve_map_over.step_type = 'map' then
      coalesce(_resolve_map_over.map_over, _resolve_map_over.deps_slugs[1], 'run')
  end;
end
$$;

comment on function pgflow._resolve_map_over is
'Find what a step maps over, and raise where its type, dependencies and map_over contradict.';
