-- Take back the marks of workers that were lost while they waited; each would cost notifications.
--
-- Returns: nothing.
-- Locks: rows of waiting_workers, skipping those that others hold: one that counts as lost may
--   have come back, and take back its marks itself.
-- Writes: waiting_workers.
-- Idempotent: yes.
create or replace function pgflow._forget_lost_workers()
returns void
language plpgsql
as $$
begin
  delete from pgflow.waiting_workers as waiting
  where waiting.ctid = any (array(
    select sleeping.ctid
    from pgflow.waiting_workers as sleeping
    where not exists (
      select from pgflow.workers as worker
      where worker.worker_id = sleeping.worker_id and not pgflow._is_lost(worker)
    )
    for update skip locked
  ));
end
$$;

comment on function pgflow._forget_lost_workers is
'Take back the marks of workers that were lost while they waited; each would cost notifications.';
