-- Find runs that ended before an instant, the oldest first, and lock them.
--
-- Ids are ordered by time, so the search begins at the oldest run and needs no index of its own. A
-- starter may have given other ids; those are found by an index that is empty for everybody else.
--
-- Parameters:
--   before: the instant.
--   quantity: how many at most.
-- Returns: the runs; never NULL. A run whose id was given as a UUIDv7 of a later time than its
--   start is found when that time, too, is before the instant.
-- Locks: the runs for update, skipping those that others hold.
-- Idempotent: yes.
create or replace function pgflow._lock_ended_runs(before timestamptz, quantity int)
returns uuid []
language plpgsql
as $$
declare
  v_bound uuid := pgflow.run_id_at(_lock_ended_runs.before + interval '1 millisecond');
  v_run_ids uuid[];
begin
  v_run_ids := array(
    select run.run_id
    from pgflow.runs as run
    where run.run_id < v_bound and run.status <> 'started'
      and coalesce(run.completed_at, run.failed_at, run.cancelled_at) < _lock_ended_runs.before
    order by run.run_id
    limit _lock_ended_runs.quantity
    for update skip locked
  );
  return v_run_ids || array(
    select run.run_id
    from pgflow.runs as run
    where get_byte(uuid_send(run.run_id), 6) >> 4 <> 7 and run.run_id >= v_bound
      and run.started_at < _lock_ended_runs.before and run.status <> 'started'
      and coalesce(run.completed_at, run.failed_at, run.cancelled_at) < _lock_ended_runs.before
    order by run.started_at
    limit _lock_ended_runs.quantity - cardinality(v_run_ids)
    for update skip locked
  );
end
$$;

comment on function pgflow._lock_ended_runs is
'Find runs that ended before an instant, the oldest first, and lock them.';
