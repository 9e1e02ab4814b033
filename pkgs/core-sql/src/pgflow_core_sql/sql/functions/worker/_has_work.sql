-- Tell whether one of some flows has tasks that a worker could take now.
--
-- Parameters:
--   flow_slugs: the flows.
-- Returns: true also where a lost worker holds tasks, which the next worker will take from it.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._has_work(flow_slugs text [])
returns boolean
language plpgsql
set enable_seqscan to off
as $$
declare
  -- In a variable: to a plan the clock is no constant that an index could be asked for.
  v_now timestamptz := clock_timestamp();
begin
  return exists (
    select from unnest(_has_work.flow_slugs) as flow (slug)
    where exists (
      select from pgflow.step_tasks as task
      where task.flow_slug = flow.slug and task.status = 'queued' and task.order_at < 'infinity'
      offset 0
    ) or exists (
      select from pgflow.step_tasks as task
      where task.flow_slug = flow.slug and task.status = 'queued' and task.order_at = 'infinity'
        and task.available_at <= v_now
      offset 0
    )
  ) or exists (
    select from pgflow.step_tasks as task
    left join pgflow.workers as worker on worker.worker_id = task.last_worker_id
    where task.status = 'started' and task.last_worker_id is not null
      and task.flow_slug = any(_has_work.flow_slugs) and pgflow._is_lost(worker)
  );
end
$$;

comment on function pgflow._has_work is
'Tell whether one of some flows has tasks that a worker could take now.';
