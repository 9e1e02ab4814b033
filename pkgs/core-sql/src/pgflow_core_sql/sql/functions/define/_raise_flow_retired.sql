-- Raise the error that a version of a flow is retired.
--
-- Parameters:
--   flow_slug: the version.
-- Returns: never.
-- Errors: PF016 always.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._raise_flow_retired(flow_slug text)
returns void
language plpgsql
as $$
begin
  raise exception using
    errcode = 'PF016',
    message = format('flow %s is retired: no run of it starts or goes on',
      _raise_flow_retired.flow_slug),
    detail = format('flow_slug=%s', _raise_flow_retired.flow_slug),
    hint = 'have new runs take one of its versions with `pgflow flows use`';
end
$$;

comment on function pgflow._raise_flow_retired is
'Raise the error that a version of a flow is retired.';
