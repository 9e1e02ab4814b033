-- Register a worker, which has to be done before it claims.
--
-- Parameters:
--   worker_id: id of the worker, new at each start.
--   flow_slugs: the flows it serves, at least one.
--   function_name: where it runs, for people.
--   lease_seconds: seconds without a heartbeat after which its tasks are taken from it.
-- Returns: nothing.
-- Errors: PF005 no id, no flow, or a lease that is not positive.
-- Locks: none.
-- Writes: workers.
-- Idempotent: yes.
create or replace function pgflow.register_worker(
  worker_id uuid, flow_slugs text [], function_name text default '', lease_seconds int default 8
)
returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  if register_worker.worker_id is null
    or coalesce(cardinality(register_worker.flow_slugs), 0) = 0
    or array_position(register_worker.flow_slugs, null) is not null
    or coalesce(register_worker.lease_seconds, 0) <= 0 then
    raise exception using
      errcode = 'PF005',
      message = 'a worker has an id, serves at least one flow and has a lease of at least a second',
      detail = format('worker_id=%s', register_worker.worker_id);
  end if;
  insert into pgflow.workers as worker (
    worker_id, queue_name, function_name, flow_slugs, lease_seconds
  )
  values (
    register_worker.worker_id, register_worker.flow_slugs[1],
    coalesce(register_worker.function_name, ''),
    register_worker.flow_slugs, register_worker.lease_seconds
  )
  on conflict on constraint workers_pkey do update
  set flow_slugs = excluded.flow_slugs, queue_name = excluded.queue_name,
    function_name = excluded.function_name, lease_seconds = excluded.lease_seconds,
    last_heartbeat_at = clock_timestamp(), stopped_at = null;
end
$$;

comment on function pgflow.register_worker is
'Register a worker, which has to be done before it claims.';
