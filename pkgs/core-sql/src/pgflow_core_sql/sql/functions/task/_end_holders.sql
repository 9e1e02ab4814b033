-- End the sessions that hold an advisory lock, as far as this user may.
--
-- Parameters:
--   key: the lock.
-- Returns: nothing. Where the right is missing, the lock comes when the others let it go.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._end_holders(key bigint)
returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  perform pg_terminate_backend(held.pid)
  from pg_locks as held
  where held.locktype = 'advisory' and held.granted and held.objsubid = 1
    and held.database = (
      select current.oid from pg_database as current where current.datname = current_database()
    )
    and held.classid::bigint << 32 | held.objid::bigint = _end_holders.key
    and held.pid <> pg_backend_pid();
exception
  when insufficient_privilege then null;
end
$$;

comment on function pgflow._end_holders is
'End the sessions that hold an advisory lock, as far as this user may.';
