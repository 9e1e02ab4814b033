-- Say that a worker has stopped; whatever it still holds can be taken at once.
--
-- Parameters:
--   worker_id: the worker; one that is not registered is no error.
-- Returns: nothing.
-- Locks: the row of the worker.
-- Writes: workers, waiting_workers.
-- Idempotent: yes.
create or replace function pgflow.mark_worker_stopped(worker_id uuid)
returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  update pgflow.workers as worker
  set stopped_at = clock_timestamp()
  where worker.worker_id = mark_worker_stopped.worker_id and worker.stopped_at is null;
  delete from pgflow.waiting_workers as waiting
  where waiting.worker_id = mark_worker_stopped.worker_id;
end
$$;

comment on function pgflow.mark_worker_stopped is
'Say that a worker has stopped; whatever it still holds can be taken at once.';
