-- Bring the definition of a flow in line with its code, and have new runs take it.
--
-- A starting worker never moves new runs back to an older version, or old and new ones would take
-- turns at it. This is the word of the owner, as in a migration, and does so. The rights are those
-- of the caller: where no older version is to be taken again, those of a worker do.
--
-- Parameters:
--   flow_slug: the name of the flow.
--   shape: its shape in code, as ensure_flow_compiled takes it.
-- Returns: what ensure_flow_compiled returns, which may make a version.
-- Errors: PF004 a slug is not valid. PF005 the shape contradicts itself, or is none.
-- Locks: as ensure_flow_compiled; then the rows of the flow's versions, as use_flow_version.
-- Writes: flows, steps, deps.
-- Idempotent: yes.
create or replace function pgflow.use_flow_shape(flow_slug text, shape jsonb)
returns jsonb
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  v_answer jsonb := pgflow.ensure_flow_compiled(
    use_flow_shape.flow_slug, use_flow_shape.shape, make_version => true
  );
  v_older int;
begin
  select own.version into v_older
  from pgflow.match_flow_versions(use_flow_shape.flow_slug, use_flow_shape.shape) as own
  where own.is_own and not own.is_current;
  -- Whoever may not call this is stopped here and nowhere else.
  if v_older is not null then
    perform pgflow.use_flow_version(use_flow_shape.flow_slug, v_older);
  end if;
  return v_answer;
end
$$;

comment on function pgflow.use_flow_shape is
'Bring the definition of a flow in line with its code, and have new runs take it.';
