-- Raise in a transaction that would not see what others commit while it waits for a lock.
--
-- Whoever retires or deletes waits for starts under way, and then has to see their runs. A start
-- changes nothing of the flow's row, so PostgreSQL finds no conflict that it could report.
--
-- Parameters:
--   action: what cannot be done in it, for the message.
--   flow_slug: the flow, for the detail.
-- Returns: nothing.
-- Errors: PF015 the transaction is REPEATABLE READ or SERIALIZABLE.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_read_committed(action text, flow_slug text)
returns void
language plpgsql
as $$
declare
  v_level text := current_setting('transaction_isolation');
begin
  if v_level in ('repeatable read', 'serializable') then
    raise exception using
      errcode = 'PF015',
      message = format('%s is not possible in a transaction that is %s: '
        'it does not see the runs that were started since it began',
        _require_read_committed.action, upper(v_level)),
      detail = format('flow_slug=%s transaction_isolation=%s',
        left(_require_read_committed.flow_slug, 200), v_level),
      hint = 'do it in a transaction that is READ COMMITTED';
  end if;
end
$$;

comment on function pgflow._require_read_committed is
'Raise in a transaction that would not see what others commit while it waits for a lock.';
