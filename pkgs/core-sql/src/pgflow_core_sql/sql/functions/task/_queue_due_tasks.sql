-- Give delayed tasks that have come due their place in the queue.
--
-- Parameters:
--   flow_slugs: the flows to look at.
-- Returns: nothing.
-- Locks: the tasks, skipping those that others hold.
-- Writes: step_tasks, at most 1000 a flow and call.
-- Idempotent: yes.
create or replace function pgflow._queue_due_tasks(flow_slugs text [])
returns void
language plpgsql
as $$
declare
  -- In a variable: to a plan the clock is no constant that an index could be asked for.
  v_now timestamptz := clock_timestamp();
begin
  if not exists (
    select from pgflow.step_tasks as task
    where task.flow_slug = any (_queue_due_tasks.flow_slugs) and task.status = 'queued'
      and task.order_at = 'infinity' and task.available_at <= v_now
  ) then
    return;
  end if;
  update pgflow.step_tasks as task
  set order_at = case
      -- Elements that were never claimed are as many as their map has.
      when task.attempts_count = task.released_count
        then pgflow._place_in_queue(task.available_at, task.task_index)
      else task.available_at
    end
  from (
    select due.place, due.partition
    from unnest(_queue_due_tasks.flow_slugs) as flow (slug)
    cross join lateral (
      select delayed.ctid as place, delayed.tableoid as partition
      from pgflow.step_tasks as delayed
      where delayed.flow_slug = flow.slug and delayed.status = 'queued'
        and delayed.order_at = 'infinity' and delayed.available_at <= v_now
      order by delayed.available_at
      limit 1000
      for no key update skip locked
    ) as due
    offset 0
  ) as locked
  where task.ctid = locked.place and task.tableoid = locked.partition;
end
$$;

comment on function pgflow._queue_due_tasks is
'Give delayed tasks that have come due their place in the queue.';
