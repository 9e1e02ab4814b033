-- Find the sessions that hold an advisory lock.
--
-- Parameters:
--   key: the lock.
-- Returns: their process ids; never NULL.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._holders_of(key bigint)
returns int []
language plpgsql
as $$
begin
  return array(
    select held.pid
    from pg_locks as held
    where held.locktype = 'advisory' and held.granted and held.objsubid = 1
      and held.database = (
        select current.oid from pg_database as current where current.datname = current_database()
      )
      and held.classid::bigint << 32 | held.objid::bigint = _holders_of.key
  );
end
$$;

comment on function pgflow._holders_of is 'Find the sessions that hold an advisory lock.';
