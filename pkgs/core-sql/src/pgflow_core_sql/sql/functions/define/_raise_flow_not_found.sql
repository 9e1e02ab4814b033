-- Raise the error that a flow does not exist.
--
-- Parameters:
--   flow_slug: the flow.
-- Returns: never.
-- Errors: PF001 always.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._raise_flow_not_found(flow_slug text)
returns void
language plpgsql
as $$
begin
  raise exception using
    errcode = 'PF001',
    message = format('flow %s does not exist', pgflow._told(_raise_flow_not_found.flow_slug)),
    detail = format('flow_slug=%s', left(_raise_flow_not_found.flow_slug, 200)),
    hint = 'compile the flow first: start a worker that serves it, or apply what `pgflow compile` '
      'prints';
end
$$;

comment on function pgflow._raise_flow_not_found is 'Raise the error that a flow does not exist.';
