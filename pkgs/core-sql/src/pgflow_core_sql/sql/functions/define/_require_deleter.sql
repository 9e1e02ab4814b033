-- Raise unless the user may delete flows with their runs.
--
-- For functions that run with the rights of their owner and delete for whoever calls them. The
-- caller is the role that was set, or else the user of the session.
--
-- Parameters:
--   flow_slug: the flow, for the message.
-- Returns: nothing.
-- Errors: PF015 the user may not.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_deleter(flow_slug text)
returns void
language plpgsql
as $$
begin
  if not has_function_privilege(
    coalesce(nullif(current_setting('role'), 'none'), session_user)::name,
    'pgflow.delete_flow_and_data(text)', 'execute'
  ) then
    raise exception using
      errcode = 'PF015',
      message = format('flow %s cannot be defined anew by this user: that deletes its runs, which '
        'takes the right to delete_flow_and_data', _require_deleter.flow_slug),
      detail = format('flow_slug=%s allow_data_loss=true', _require_deleter.flow_slug),
      hint = 'have the owner of the schema do it, or let the changed structure become a version';
  end if;
end
$$;

comment on function pgflow._require_deleter is
'Raise unless the user may delete flows with their runs.';
