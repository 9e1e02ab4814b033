-- Take back the marks of workers that were lost while they waited; each would cost notifications.
--
-- Returns: nothing.
-- Locks: rows of waiting_workers.
-- Writes: waiting_workers.
-- Idempotent: yes.
create or replace function pgflow._forget_lost_workers()
returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  delete from pgflow.waiting_workers as waiting
  where not exists (
    select from pgflow.workers as worker
    where worker.worker_id = waiting.worker_id and not pgflow._is_lost(worker)
  );
end
$$;

comment on function pgflow._forget_lost_workers is
'Take back the marks of workers that were lost while they waited; each would cost notifications.';
