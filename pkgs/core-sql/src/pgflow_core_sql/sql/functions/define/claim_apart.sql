-- Have steps claimed apart from the rest of their flows, so that a worker can limit them.
--
-- A worker that runs only so many tasks of a step at once must not find its way to other tasks
-- blocked by them. Workers call this when they start; a step stays apart from then on.
--
-- Parameters:
--   flow_slugs, step_slugs: the steps, as parallel arrays; unknown ones are passed over.
-- Returns: how many tasks in the queue were moved. Tasks that others hold locked, or that start
--   meanwhile, stay where they were; a worker without room for them hands them back, which moves
--   them too.
-- Errors: PF008 the arrays differ in length.
-- Locks: the steps that change; then their queued tasks, skipping those that others hold.
-- Writes: steps, step_tasks.
-- Idempotent: yes.
create or replace function pgflow.claim_apart(flow_slugs text [], step_slugs text [])
returns int
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_moved int;
begin
  perform pgflow._require_equal_lengths(array[
    cardinality(claim_apart.flow_slugs), cardinality(claim_apart.step_slugs)
  ]);
  with changed as (
    update pgflow.steps as step
    set claimed_apart = true
    from (
      select each.flow_slug, each.step_slug
      from unnest(claim_apart.flow_slugs, claim_apart.step_slugs) as each (flow_slug, step_slug)
      order by each.flow_slug, each.step_slug
    ) as named
    where step.flow_slug = named.flow_slug and step.step_slug = named.step_slug
      and not step.claimed_apart
    returning step.flow_slug, step.step_slug
  )
  update pgflow.step_tasks as task
  set claimed_apart = true
  from (
    select waiting.ctid as place, waiting.tableoid as partition
    from changed
    join pgflow.step_tasks as waiting
      on waiting.flow_slug = changed.flow_slug and waiting.step_slug = changed.step_slug
    where waiting.status = 'queued'
    for no key update of waiting skip locked
  ) as locked
  where task.ctid = locked.place and task.tableoid = locked.partition;
  get diagnostics v_moved = row_count;
  return v_moved;
end
$$;

comment on function pgflow.claim_apart is
'Have steps claimed apart from the rest of their flows, so that a worker can limit them.';
