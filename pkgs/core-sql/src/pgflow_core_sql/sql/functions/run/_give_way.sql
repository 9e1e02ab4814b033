-- Wait a moment where another session asks to have one of these runs alone.
--
-- Called before any lock is taken. The wait is bounded and not for a lock, so that it can be part
-- of no circle: who asks may be waiting for a report that is part of the caller's transaction.
--
-- Parameters:
--   run_ids: the runs that are about to be locked for key share.
-- Returns: nothing.
-- Locks: none that lasts: looking takes the advisory lock of _ask_for_way and gives it back.
-- Idempotent: yes.
create or replace function pgflow._give_way(run_ids uuid [])
returns void
language plpgsql
as $$
begin
  for v_look in 1..50 loop
    exit when not exists (
      select
      from unnest(_give_way.run_ids) as reported (run_id)
      -- In one expression, so that nothing can come between: this lock is the session's.
      where not case
        when pg_try_advisory_lock_shared(pgflow._way_key(reported.run_id))
          then pg_advisory_unlock_shared(pgflow._way_key(reported.run_id))
        else false
      end
    );
    perform pg_sleep(0.002);
  end loop;
end
$$;

comment on function pgflow._give_way is
'Wait a moment where another session asks to have one of these runs alone.';
