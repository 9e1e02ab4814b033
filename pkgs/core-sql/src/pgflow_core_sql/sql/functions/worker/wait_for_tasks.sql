-- Say that a worker has found no work and will sleep, so that whoever makes work ready notifies.
--
-- After this call the worker looks once more, and then waits for a notification on channel
-- pgflow_tasks. A transaction that was under way meanwhile may still commit work without a word,
-- so a worker also looks again by itself, at growing intervals.
--
-- Parameters:
--   worker_id: the worker.
--   flow_slugs: the flows that it serves.
-- Returns: seconds until the next delayed task of these flows comes due; NULL where there is none.
-- Errors: PF015 the worker or a flow is NULL.
-- Locks: none.
-- Writes: waiting_workers. The mark goes when the worker gets as many tasks as it asked for.
-- Idempotent: yes.
create or replace function pgflow.wait_for_tasks(worker_id uuid, flow_slugs text [])
returns double precision
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set plan_cache_mode to force_generic_plan
set join_collapse_limit to 1
set enable_seqscan to off
as $$
begin
  if wait_for_tasks.worker_id is null
    or array_position(wait_for_tasks.flow_slugs, null) is not null then
    perform pgflow._refuse_argument(
      'neither the worker that waits nor a flow that it serves is NULL',
      format('worker_id=%s', wait_for_tasks.worker_id)
    );
  end if;
  insert into pgflow.waiting_workers (flow_slug, worker_id)
  select distinct flow.slug, wait_for_tasks.worker_id
  from unnest(wait_for_tasks.flow_slugs) as flow (slug)
  on conflict on constraint waiting_workers_pkey do nothing;
  return (
    select extract(epoch from min(next.available_at) - clock_timestamp())
    from unnest(wait_for_tasks.flow_slugs) as flow (slug)
    cross join lateral (
      select task.available_at
      from pgflow.step_tasks as task
      where task.flow_slug = flow.slug and task.status = 'queued' and task.order_at = 'infinity'
      order by task.available_at
      limit 1
    ) as next
  );
end
$$;

comment on function pgflow.wait_for_tasks is
'Say that a worker has found no work and will sleep, so that whoever makes work ready notifies.';
