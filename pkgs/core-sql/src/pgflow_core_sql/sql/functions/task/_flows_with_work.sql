-- Pick those of some flows that have a task ready.
--
-- Parameters:
--   flow_slugs: the flows.
-- Returns: those with a task that can be claimed now; never NULL.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._flows_with_work(flow_slugs text [])
returns text []
language plpgsql
as $$
begin
  -- With an offset, the planner looks into the queue for each flow; without, it may read all of it.
  return array(
    select flow.slug
    from unnest(_flows_with_work.flow_slugs) as flow (slug)
    where exists (
      select from pgflow.step_tasks as task
      where task.flow_slug = flow.slug and task.status = 'queued' and task.order_at < 'infinity'
        and not task.claimed_apart
      offset 0
    ) or exists (
      select from pgflow.step_tasks as task
      where task.flow_slug = flow.slug and task.status = 'queued' and task.order_at < 'infinity'
        and task.claimed_apart
      offset 0
    )
  );
end
$$;

comment on function pgflow._flows_with_work is
'Pick those of some flows that have a task ready.';
