-- Lock the row of a flow against other changes of its definition, or raise where there is none.
--
-- Parameters:
--   flow_slug: the flow.
-- Returns: nothing.
-- Errors: PF001 no such flow.
-- Locks: the row of the flow (for no key update), so that runs may still be started.
-- Idempotent: yes.
create or replace function pgflow._require_flow(flow_slug text)
returns void
language plpgsql
as $$
begin
  perform from pgflow.flows as flow
  where flow.flow_slug = _require_flow.flow_slug
  for no key update;
  if not found then
    perform pgflow._raise_flow_not_found(_require_flow.flow_slug);
  end if;
end
$$;

comment on function pgflow._require_flow is
'Lock the row of a flow against other changes of its definition, or raise where there is none.';
