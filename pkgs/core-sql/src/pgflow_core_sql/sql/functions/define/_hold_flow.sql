-- Keep a flow from being deleted or compiled anew until the transaction ends.
--
-- Parameters:
--   flow_slug: the flow.
-- Returns: nothing.
-- Errors: PF001 no such flow.
-- Locks: the row of the flow (for key share), which lets others start it and change its options.
-- Idempotent: yes.
create or replace function pgflow._hold_flow(flow_slug text)
returns void
language plpgsql
as $$
begin
  perform from pgflow.flows as flow
  where flow.flow_slug = _hold_flow.flow_slug
  for key share;
  if not found then
    -- Where it was deleted and made anew while we waited, only a later snapshot shows the new row.
    perform from pgflow.flows as flow
    where flow.flow_slug = _hold_flow.flow_slug
    for key share;
    if not found then
      perform pgflow._raise_flow_not_found(_hold_flow.flow_slug);
    end if;
  end if;
end
$$;

comment on function pgflow._hold_flow is
'Keep a flow from being deleted or compiled anew until the transaction ends.';
