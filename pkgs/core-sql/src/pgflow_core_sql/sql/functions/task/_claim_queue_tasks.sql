-- Claim tasks of one queue, in its order.
--
-- Parameters:
--   flow_slug: the flow.
--   step_slug: a step of it that is claimed apart; NULL is the queue of all the others.
--   quantity: how many tasks at most.
--   worker_id: the worker that claims.
-- Returns: the tasks, as claim_tasks does.
-- Locks: the tasks, skipping those that others hold.
-- Writes: step_tasks.
-- Idempotent: no.
create or replace function pgflow._claim_queue_tasks(
  flow_slug text, step_slug text, quantity int, worker_id uuid
)
returns setof pgflow.step_task_record
language plpgsql
as $$
declare
  -- By a statement before, whose snapshot is older: what it has locked is seen, and stays in place.
  v_locked record;
begin
  for v_locked in select locked.* from pgflow._lock_queued_tasks(
    _claim_queue_tasks.flow_slug, _claim_queue_tasks.step_slug, _claim_queue_tasks.quantity
  ) as locked loop
    return query
    with claimed as (
      update pgflow.step_tasks as task
      set status = 'started', started_at = clock_timestamp(),
        attempts_count = task.attempts_count + 1, last_worker_id = _claim_queue_tasks.worker_id
      -- By the place of the locked rows: a plan that joins them again could turn into a scan.
      where task.ctid = any (v_locked.places) and task.tableoid = v_locked.partition
      returning task.run_id, task.step_slug, task.task_index, task.input, task.attempts_count
    )
    select
      _claim_queue_tasks.flow_slug, claimed.run_id, claimed.step_slug,
      case
        when step.step_type = 'single' then
          case
            when step.deps_count = 0 then '{}'::jsonb
            -- What _deps_outputs gives, without a call for each task.
            else (
              select coalesce(jsonb_object_agg(state.step_slug, state.output), '{}'::jsonb)
              from pgflow.deps as dep
              cross join lateral (
                select parent.step_slug, parent.output
                from pgflow.step_states as parent
                where parent.run_id = claimed.run_id and parent.step_slug = dep.dep_slug
                  and parent.status = 'completed'
                offset 0
              ) as state
              where dep.flow_slug = _claim_queue_tasks.flow_slug
                and dep.step_slug = claimed.step_slug and not dep.orders_only
            )
          end
        else coalesce(claimed.input, (
          select coalesce(element.output, 'null')
          from pgflow.step_tasks as element
          where element.run_id = claimed.run_id and element.step_slug = step.map_over
            and element.task_index = claimed.task_index
        ))
      end,
      claimed.task_index,
      case when step.takes_flow_input and step.step_type = 'single' then (
        select run.input from pgflow.runs as run where run.run_id = claimed.run_id
      ) end,
      claimed.attempts_count, null::text
    -- Each step is looked up once: a claim of many tasks is one of few steps.
    from (select distinct each.step_slug from claimed as each) as kind
    cross join lateral (
      select each.step_slug, each.step_type, each.deps_count, each.map_over, each.takes_flow_input
      from pgflow.steps as each
      where each.flow_slug = _claim_queue_tasks.flow_slug and each.step_slug = kind.step_slug
      offset 0
    ) as step
    join claimed on claimed.step_slug = step.step_slug;
  end loop;
end
$$;

comment on function pgflow._claim_queue_tasks is
'Claim tasks of one queue, in its order.';
