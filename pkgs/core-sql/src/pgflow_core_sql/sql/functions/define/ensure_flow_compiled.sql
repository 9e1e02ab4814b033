-- Bring the definition of a flow in line with its code, or say how they differ.
--
-- Parameters:
--   flow_slug: the name of the flow.
--   shape: its shape in code, as _create_flow_from_shape takes it.
--   allow_data_loss: whether a changed structure may delete the flow with all its runs, which takes
--     the right to delete_flow_and_data.
--   make_version: whether a changed structure becomes a new version, which new runs take, while
--     runs under way keep theirs. Where data may be lost, it is not asked for.
-- Returns: {"status", "differences", "updates"}. status is 'compiled' (was not there), 'verified'
--   (a version has that structure, the current one where data may be lost; its options were brought
--   up to date), 'recompiled' (was deleted and made anew; then "open_runs" says how many runs went
--   that had not ended, about 10,000 at most), 'versioned' (became a new version; then "version" is
--   its number) or 'mismatch' (other structure; nothing was changed). differences is
--   an array of sentences, from what new runs took so far, and so is updates: what of a verified
--   version's options and schemas has changed.
-- Errors: PF004 a slug is not valid. PF005 the shape contradicts itself, is none, or would be saved
--   as another. PF015 runs would be lost, and the caller may not call delete_flow_and_data, or not
--   in this transaction.
-- Locks: an advisory lock for the flow, so that concurrent starters take turns; then its row, and
--   that of the version.
-- Writes: flows, steps, deps; every table when it recompiles.
-- Idempotent: yes.
create or replace function pgflow.ensure_flow_compiled(
  flow_slug text, shape jsonb, allow_data_loss boolean default false,
  make_version boolean default false
)
returns jsonb
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_name text := ensure_flow_compiled.flow_slug;
  v_plan record;
  v_slug text;
  v_former jsonb;
  v_updates text[] := array[]::text[];
  v_open_runs bigint;
begin
  perform pgflow._require_slug('flow', v_name);
  if jsonb_typeof(ensure_flow_compiled.shape -> 'steps') is distinct from 'array' then
    raise exception using
      errcode = 'PF005', message = format('the shape of flow %s has no steps', v_name),
      detail = format('flow_slug=%s', v_name), hint = 'a shape is {"steps": [...]}';
  end if;
  perform pgflow._require_known_keys(v_name, ensure_flow_compiled.shape);
  perform pg_advisory_xact_lock(hashtextextended('pgflow compile ' || v_name, 0));
  select plan.* into v_plan
  from pgflow._plan_compilation(
    v_name, ensure_flow_compiled.shape, coalesce(ensure_flow_compiled.allow_data_loss, false),
    coalesce(ensure_flow_compiled.make_version, false)
  ) as plan;
  if v_plan.status = 'recompiled' then
    perform pgflow._require_deleter(v_name);
    -- Locked first: then none is started that would not be counted.
    select sum(pgflow._count_open_runs(version.slug)) into v_open_runs
    from unnest(pgflow._lock_versions(v_name)) as version (slug);
    perform pgflow.delete_flow_and_data(v_name);
  end if;
  v_slug := case
    when v_plan.status = 'versioned' then pgflow._add_version(v_name)
    else coalesce(v_plan.version_slug, v_name)
  end;
  if v_plan.status = 'verified' then
    -- Before the row of a later version, as everybody else.
    perform pgflow._require_flow(v_name);
  end if;
  if v_plan.status <> 'mismatch' then
    v_former := pgflow._get_flow_options(v_slug);
    perform pgflow._create_flow_from_shape(v_slug, ensure_flow_compiled.shape);
    perform pgflow._require_saved_as_given(v_slug, ensure_flow_compiled.shape);
  end if;
  if v_plan.status = 'verified' then
    v_updates := pgflow._compare_flow_options(pgflow._get_flow_options(v_slug), v_former);
  end if;
  return jsonb_build_object(
    'status', v_plan.status, 'differences', v_plan.differences, 'updates', v_updates
  ) || case v_plan.status
    when 'versioned' then jsonb_build_object('version', split_part(v_slug, '@', 2)::int)
    when 'recompiled' then jsonb_build_object('open_runs', v_open_runs)
    else '{}'
  end;
exception when data_exception then
  raise exception using
    errcode = 'PF005',
    message = format('the shape of flow %s cannot be read: %s', v_name, sqlerrm),
    detail = format('flow_slug=%s', v_name);
end
$$;

comment on function pgflow.ensure_flow_compiled is
'Bring the definition of a flow in line with its code, or say how they differ.';
