-- Keep a version of a flow from being retired until the transaction ends.
--
-- Parameters:
--   flow_slug: the version; the name of a flow is its first one.
--   may_be_retired: whether one that is retired is held like any other.
-- Returns: nothing.
-- Errors: PF016 it is retired.
-- Locks: its row (for key share).
-- Idempotent: yes.
create or replace function pgflow._hold_version(
  flow_slug text, may_be_retired boolean default false
)
returns void
language plpgsql
as $$
declare
  v_retired_at timestamptz;
begin
  select flow.retired_at into v_retired_at
  from pgflow.flows as flow
  where flow.flow_slug = _hold_version.flow_slug
  for key share;
  if v_retired_at is not null and not _hold_version.may_be_retired then
    perform pgflow._raise_flow_retired(_hold_version.flow_slug);
  end if;
end
$$;

comment on function pgflow._hold_version is
'Keep a version of a flow from being retired until the transaction ends.';
