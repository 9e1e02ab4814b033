-- Raise where new runs of a flow take a version although they could take another.
--
-- Parameters:
--   flow_name: the flow, whose versions the caller holds.
--   version_slug: the version.
-- Returns: nothing.
-- Errors: PF017 new runs take it, and another version is not retired.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_replaced(flow_name text, version_slug text)
returns void
language plpgsql
as $$
begin
  if pgflow._current_version(_require_replaced.flow_name) = _require_replaced.version_slug
    and exists (
      select from pgflow.flows as other
      where other.flow_name = _require_replaced.flow_name and other.retired_at is null
        and other.flow_slug <> _require_replaced.version_slug
    ) then
    raise exception using
      errcode = 'PF017',
      message = format('new runs of flow %s take the version that is to be retired',
        _require_replaced.flow_name),
      detail = format('flow_slug=%s version_slug=%s', _require_replaced.flow_name,
        _require_replaced.version_slug),
      hint = 'have them take another one first, with use_flow_version or `pgflow flows use`';
  end if;
end
$$;

comment on function pgflow._require_replaced is
'Raise where new runs of a flow take a version although they could take another.';
