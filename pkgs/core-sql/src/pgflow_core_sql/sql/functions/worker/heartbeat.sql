-- Say that a worker is alive.
--
-- Parameters:
--   worker_id: the worker.
-- Returns: true where people have deprecated the worker, which then drains and stops.
-- Errors: PF007 the worker is not registered.
-- Locks: the row of the worker.
-- Writes: workers.
-- Idempotent: yes.
create or replace function pgflow.heartbeat(worker_id uuid)
returns boolean
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_deprecated boolean;
begin
  update pgflow.workers as worker
  set last_heartbeat_at = clock_timestamp()
  where worker.worker_id = heartbeat.worker_id
  returning worker.deprecated_at is not null into v_deprecated;
  if not found then
    perform pgflow._require_worker(heartbeat.worker_id);
  end if;
  return v_deprecated;
end
$$;

comment on function pgflow.heartbeat is 'Say that a worker is alive.';
