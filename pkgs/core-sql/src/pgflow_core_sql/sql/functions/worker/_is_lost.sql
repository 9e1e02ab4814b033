-- Tell whether a worker is gone: stopped, silent for its lease, or not there at all.
--
-- Parameters:
--   worker: its row; NULL where it has none.
-- Returns: true or false.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._is_lost(worker pgflow.workers)
returns boolean
language sql
volatile
parallel safe
begin atomic
  select coalesce(
    _is_lost.worker.stopped_at is not null
    or _is_lost.worker.last_heartbeat_at
      < clock_timestamp() - make_interval(secs => _is_lost.worker.lease_seconds),
    true
  );
end;

comment on function pgflow._is_lost is
'Tell whether a worker is gone: stopped, silent for its lease, or not there at all.';
