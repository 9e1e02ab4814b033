-- Raise unless a worker is registered.
--
-- Parameters:
--   worker_id: the worker.
-- Returns: nothing.
-- Errors: PF007 the worker is not registered.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_worker(worker_id uuid)
returns void
language plpgsql
as $$
begin
  if not exists (
    select from pgflow.workers as worker where worker.worker_id = _require_worker.worker_id
  ) then
    raise exception using
      errcode = 'PF007',
      message = format('worker %s is not registered',
        pgflow._told(_require_worker.worker_id::text)),
      detail = format('worker_id=%s', _require_worker.worker_id),
      hint = 'call pgflow.register_worker first';
  end if;
end
$$;

comment on function pgflow._require_worker is 'Raise unless a worker is registered.';
