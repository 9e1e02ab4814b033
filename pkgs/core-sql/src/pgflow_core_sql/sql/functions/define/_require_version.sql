-- Find a version of a flow by its number, or raise where there is none.
--
-- Parameters:
--   flow_name: the name of the flow.
--   version: the number of the version.
-- Returns: its slug.
-- Errors: PF001 no such flow, or no such version of it. PF015 a version is named twice.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_version(flow_name text, version int)
returns text
language plpgsql
as $$
declare
  v_slug text;
begin
  perform pgflow._require_name(
    _require_version.flow_name,
    'give the name of the flow without @ and a number, and the number of the version apart'
  );
  select flow.flow_slug into v_slug
  from pgflow.flows as flow
  where flow.flow_name = _require_version.flow_name
    and flow.version = _require_version.version;
  if not found then
    if pgflow._versions_of(_require_version.flow_name) is null then
      perform pgflow._raise_flow_not_found(_require_version.flow_name);
    end if;
    raise exception using
      errcode = 'PF001',
      message = format('flow %s has no version %s', left(_require_version.flow_name, 200),
        coalesce(_require_version.version::text, 'NULL')),
      detail = format('flow_slug=%s version=%s', left(_require_version.flow_name, 200),
        _require_version.version),
      hint = '`pgflow flows versions` lists them';
  end if;
  return v_slug;
end
$$;

comment on function pgflow._require_version is
'Find a version of a flow by its number, or raise where there is none.';
