-- Keep a version of a flow from being retired until the transaction ends.
--
-- Parameters:
--   flow_slug: the version; the name of a flow is its first one.
--   may_be_retired: whether one that is retired is held like any other.
-- Returns: whether there is such a version.
-- Errors: PF016 it is retired.
-- Locks: its row (for key share).
-- Idempotent: yes.
create or replace function pgflow._hold_version(
  flow_slug text, may_be_retired boolean default false
)
returns boolean
language plpgsql
as $$
declare
  v_flow record;
begin
  for v_look in 1..2 loop
    select true as is_there, flow.retired_at into v_flow
    from pgflow.flows as flow
    where flow.flow_slug = _hold_version.flow_slug
    for key share;
    -- Where it was deleted and made anew while we waited, only a later snapshot shows the new row.
    exit when v_flow.is_there;
  end loop;
  if v_flow.retired_at is not null and not _hold_version.may_be_retired then
    perform pgflow._raise_flow_retired(_hold_version.flow_slug);
  end if;
  return v_flow.is_there is not null;
end
$$;

comment on function pgflow._hold_version is
'Keep a version of a flow from being retired until the transaction ends.';
