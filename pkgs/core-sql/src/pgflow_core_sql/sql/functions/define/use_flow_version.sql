-- Have new runs of a flow take a version from now on, an older one or one that was retired, too.
--
-- Parameters:
--   flow_slug: the name of the flow.
--   version: the number of the version.
-- Returns: nothing.
-- Errors: PF001 no such flow, or no such version of it. PF015 a version is named in place of a
--   flow.
-- Locks: the rows of the flow's versions (for no key update), so that runs may still be started.
-- Writes: flows.
-- Idempotent: yes.
create or replace function pgflow.use_flow_version(flow_slug text, version int)
returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  perform pgflow._require_name(
    use_flow_version.flow_slug,
    'give the name of the flow without @ and a number, and the number of the version apart'
  );
  -- Locked before it is looked up: it may be deleted, or made anew with fewer versions, meanwhile.
  perform pgflow._require_flow(use_flow_version.flow_slug);
  perform pgflow._point_to_version(
    pgflow._require_version(use_flow_version.flow_slug, use_flow_version.version)
  );
end
$$;

comment on function pgflow.use_flow_version is
'Have new runs of a flow take a version from now on, an older one or one that was retired, too.';
