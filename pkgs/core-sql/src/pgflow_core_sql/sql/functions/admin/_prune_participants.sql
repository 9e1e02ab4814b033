-- Delete keys that expired, and lost workers that were last alive, before an instant.
--
-- Parameters:
--   before: the instant.
--   quantity: how many of each at most.
-- Returns: nothing.
-- Locks: the keys and workers, skipping those that others hold.
-- Writes: run_keys, workers.
-- Idempotent: yes.
create or replace function pgflow._prune_participants(before timestamptz, quantity int)
returns void
language plpgsql
as $$
begin
  delete from pgflow.run_keys as key
  where key.ctid = any (array(
    select expired.ctid
    from pgflow.run_keys as expired
    where expired.expires_at < _prune_participants.before and expired.expires_at < 'infinity'
    order by expired.expires_at
    limit _prune_participants.quantity
    for update skip locked
  ));
  delete from pgflow.workers as worker
  where worker.worker_id = any (array(
    select gone.worker_id
    from pgflow.workers as gone
    where gone.last_heartbeat_at < _prune_participants.before and pgflow._is_lost(gone)
      and not exists (
        select from pgflow.step_tasks as task
        where task.last_worker_id = gone.worker_id and task.status = 'started'
      )
    limit _prune_participants.quantity
    for update skip locked
  ));
end
$$;

comment on function pgflow._prune_participants is
'Delete keys that expired, and lost workers that were last alive, before an instant.';
