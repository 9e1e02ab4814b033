-- Pick the queues of some flows that have a task ready, beginning at a random one.
--
-- Parameters:
--   flow_slugs: the flows.
-- Returns: the flow of each queue, and its step where it is that of a step that is claimed apart.
-- Locks: none.
-- Idempotent: yes, but for the order.
create or replace function pgflow._queues_with_work(flow_slugs text [])
returns table (flow_slug text, step_slug text)
language plpgsql
as $$
begin
  -- With an offset, the planner looks into each queue; without, it may read all of them.
  return query
  select queue.flow_slug, queue.step_slug
  from (
    select flow.slug as flow_slug, null::text as step_slug
    from unnest(_queues_with_work.flow_slugs) as flow (slug)
    where exists (
      select from pgflow.step_tasks as task
      where task.flow_slug = flow.slug and task.status = 'queued'
        and task.order_at < 'infinity' and not task.claimed_apart
      offset 0
    )
    union all
    select step.flow_slug, step.step_slug
    from pgflow.steps as step
    where step.flow_slug = any (_queues_with_work.flow_slugs) and step.claimed_apart
      and exists (
        select from pgflow.step_tasks as task
        where task.flow_slug = step.flow_slug and task.step_slug = step.step_slug
          and task.status = 'queued' and task.order_at < 'infinity' and task.claimed_apart
        offset 0
      )
  ) as queue
  order by random();
end
$$;

comment on function pgflow._queues_with_work is
'Pick the queues of some flows that have a task ready, beginning at a random one.';
