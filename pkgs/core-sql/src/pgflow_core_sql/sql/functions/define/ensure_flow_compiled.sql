-- Bring the definition of a flow in line with its code, or say how they differ.
--
-- Parameters:
--   flow_slug: the flow.
--   shape: its shape in code, as _create_flow_from_shape takes it.
--   allow_data_loss: whether a changed structure may delete the flow with all its runs.
-- Returns: {"status", "differences", "updates"}. status is 'compiled' (was not there), 'verified'
--   (same structure; options were brought up to date), 'recompiled' (was deleted and made anew) or
--   'mismatch' (other structure; nothing was changed). differences is an array of sentences, and so
--   is updates: what of a verified flow's options and schemas has changed.
-- Errors: PF004 a slug is not valid. PF005 the shape contradicts itself, or is none.
-- Locks: an advisory lock for the flow, so that concurrent starters take turns; then its row.
-- Writes: flows, steps, deps; every table when it recompiles.
-- Idempotent: yes.
create or replace function pgflow.ensure_flow_compiled(
  flow_slug text, shape jsonb, allow_data_loss boolean default false
)
returns jsonb
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_differences text[] := array[]::text[];
  v_updates text[] := array[]::text[];
  v_former jsonb;
  v_status text := 'compiled';
begin
  perform pgflow._require_slug('flow', ensure_flow_compiled.flow_slug);
  if jsonb_typeof(ensure_flow_compiled.shape -> 'steps') is distinct from 'array' then
    raise exception using
      errcode = 'PF005',
      message = format('the shape of flow %s has no steps', ensure_flow_compiled.flow_slug),
      detail = format('flow_slug=%s', ensure_flow_compiled.flow_slug),
      hint = 'a shape is {"steps": [...]}';
  end if;
  perform pgflow._require_known_keys(ensure_flow_compiled.flow_slug, ensure_flow_compiled.shape);
  perform pg_advisory_xact_lock(
    hashtextextended('pgflow compile ' || ensure_flow_compiled.flow_slug, 0)
  );
  v_former := pgflow._get_flow_options(ensure_flow_compiled.flow_slug);
  if v_former is not null then
    v_differences := pgflow._compare_flow_shapes(
      ensure_flow_compiled.shape, pgflow._get_flow_shape(ensure_flow_compiled.flow_slug)
    );
    v_status := case
      when cardinality(v_differences) = 0 then 'verified'
      when ensure_flow_compiled.allow_data_loss then 'recompiled'
      else 'mismatch'
    end;
  end if;
  if v_status = 'recompiled' then
    perform pgflow.delete_flow_and_data(ensure_flow_compiled.flow_slug);
  end if;
  if v_status <> 'mismatch' then
    perform pgflow._create_flow_from_shape(
      ensure_flow_compiled.flow_slug, ensure_flow_compiled.shape
    );
  end if;
  if v_status = 'verified' then
    v_updates := pgflow._compare_flow_options(
      pgflow._get_flow_options(ensure_flow_compiled.flow_slug), v_former
    );
  end if;
  return jsonb_build_object('status', v_status, 'differences', v_differences, 'updates', v_updates);
exception when data_exception then
  raise exception using
    errcode = 'PF005',
    message = format('the shape of flow %s cannot be read: %s',
      ensure_flow_compiled.flow_slug, sqlerrm),
    detail = format('flow_slug=%s', ensure_flow_compiled.flow_slug);
end
$$;

comment on function pgflow.ensure_flow_compiled is
'Bring the definition of a flow in line with its code, or say how they differ.';
