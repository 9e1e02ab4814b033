-- Lock the tasks that are next in the queue of one step, passing over those that somebody holds.
--
-- Parameters:
--   flow_slug, step_slug, quantity: as in _claim_queue_tasks.
-- Returns: as _lock_queued_tasks.
-- Locks: those rows of step_tasks, with skip locked.
-- Idempotent: yes.
create or replace function pgflow._lock_tasks_of_step(
  flow_slug text, step_slug text, quantity int
)
returns table (partition oid, places tid [])
language plpgsql
as $$
begin
  return query
  select locked.partition, array_agg(locked.place)
  from (
    select ready.ctid as place, ready.tableoid as partition
    from pgflow.step_tasks as ready
    where ready.flow_slug = _lock_tasks_of_step.flow_slug and ready.status = 'queued'
      and ready.step_slug = _lock_tasks_of_step.step_slug and ready.order_at < 'infinity'
      and ready.claimed_apart
    order by ready.priority desc, ready.order_at
    limit _lock_tasks_of_step.quantity
    for no key update skip locked
  ) as locked
  group by locked.partition;
end
$$;

comment on function pgflow._lock_tasks_of_step is
'Lock the tasks that are next in the queue of one step, passing over those that somebody holds.';
