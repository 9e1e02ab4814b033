-- Lock the tasks that are next in a queue, passing over those that somebody else holds.
--
-- Parameters:
--   flow_slug, step_slug, quantity: as in _claim_queue_tasks.
-- Returns: the places of their rows in step_tasks; of a partitioned step_tasks a row for each
--   partition, which has places of its own. No row where none is there.
-- Locks: those rows of step_tasks, with skip locked.
-- Idempotent: yes.
create or replace function pgflow._lock_queued_tasks(
  flow_slug text, step_slug text, quantity int
)
returns table (partition oid, places tid [])
language plpgsql
as $$
begin
  if _lock_queued_tasks.step_slug is null then
    return query
    select locked.partition, array_agg(locked.place)
    from (
      select ready.ctid as place, ready.tableoid as partition
      from pgflow.step_tasks as ready
      where ready.flow_slug = _lock_queued_tasks.flow_slug and ready.status = 'queued'
        and ready.order_at < 'infinity' and not ready.claimed_apart
      order by ready.priority desc, ready.order_at
      limit _lock_queued_tasks.quantity
      for no key update skip locked
    ) as locked
    group by locked.partition;
    return;
  end if;
  return query
  select locked.partition, array_agg(locked.place)
  from (
    select ready.ctid as place, ready.tableoid as partition
    from pgflow.step_tasks as ready
    where ready.flow_slug = _lock_queued_tasks.flow_slug and ready.status = 'queued'
      and ready.step_slug = _lock_queued_tasks.step_slug and ready.order_at < 'infinity'
      and ready.claimed_apart
    order by ready.priority desc, ready.order_at
    limit _lock_queued_tasks.quantity
    for no key update skip locked
  ) as locked
  group by locked.partition;
end
$$;

comment on function pgflow._lock_queued_tasks is
'Lock the tasks that are next in a queue, passing over those that somebody else holds.';
