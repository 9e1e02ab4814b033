-- Keep a flow from being deleted, compiled anew or retired until the transaction ends.
--
-- Parameters:
--   flow_slug: the name of a flow, or a version such as name@2; name@1 is the first one.
--   may_be_retired: whether a flow or version that is retired is held like any other.
-- Returns: the slug of the version that new runs take, or the first where they take none; of a
--   version, itself.
-- Errors: PF001 no such flow. PF016 it is retired.
-- Locks: the row of the flow (for key share), which lets others start it, change its options and
--   add versions to it.
-- Idempotent: yes.
create or replace function pgflow._hold_flow(flow_slug text, may_be_retired boolean)
returns text
language plpgsql
as $$
declare
  v_flow record;
begin
  select coalesce(flow.current_slug, flow.flow_slug) as slug,
    flow.current_slug is null and flow.retired_at is not null as is_retired
  into v_flow
  from pgflow.flows as flow
  where flow.flow_slug = _hold_flow.flow_slug
  for key share;
  if not found and _hold_flow.flow_slug like '%@1' then
    -- The first version has the name alone, which stands for the current one.
    if pgflow._hold_version(left(_hold_flow.flow_slug, -2), _hold_flow.may_be_retired) then
      return pgflow._require_version(left(_hold_flow.flow_slug, -2), 1);
    end if;
    perform pgflow._raise_flow_not_found(left(_hold_flow.flow_slug, -2));
  elsif not found then
    -- Where it was deleted and made anew while we waited, only a later snapshot shows the new row.
    select coalesce(flow.current_slug, flow.flow_slug) as slug,
      flow.current_slug is null and flow.retired_at is not null as is_retired
    into v_flow
    from pgflow.flows as flow
    where flow.flow_slug = _hold_flow.flow_slug
    for key share;
    if not found then
      perform pgflow._raise_flow_not_found(_hold_flow.flow_slug);
    end if;
  end if;
  if v_flow.is_retired and not _hold_flow.may_be_retired then
    perform pgflow._raise_flow_retired(v_flow.slug);
  end if;
  return v_flow.slug;
end
$$;

comment on function pgflow._hold_flow is
'Keep a flow from being deleted, compiled anew or retired until the transaction ends.';
