-- Lock runs as _lock_runs does, without those that another transaction does not let go of.
--
-- Whoever forgets a transaction that holds a run must not hold up what is done for all the others.
--
-- Parameters:
--   run_ids, strength: as in _lock_runs.
-- Returns: the runs that are locked: all of them if that takes less than half a second a run, else
--   those that nobody holds.
-- Locks: the runs, sorted, as strongly as asked for.
-- Idempotent: yes.
create or replace function pgflow._lock_free_runs(run_ids uuid [], strength text)
returns uuid []
language plpgsql
set lock_timeout to '500ms'
as $$
begin
  perform pgflow._lock_runs(_lock_free_runs.run_ids, _lock_free_runs.strength);
  return _lock_free_runs.run_ids;
exception
  when lock_not_available then
    if _lock_free_runs.strength = 'exclusive' then
      return array(
        select run.run_id from pgflow.runs as run
        where run.run_id = any (_lock_free_runs.run_ids)
        order by run.run_id for update skip locked
      );
    end if;
    return array(
      select run.run_id from pgflow.runs as run
      where run.run_id = any (_lock_free_runs.run_ids)
      order by run.run_id for key share skip locked
    );
end
$$;

comment on function pgflow._lock_free_runs is
'Lock runs as _lock_runs does, without those that another transaction does not let go of.';
