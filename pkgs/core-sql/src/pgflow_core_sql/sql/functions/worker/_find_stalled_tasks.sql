-- Find started tasks that nobody will report any more.
--
-- Parameters:
--   quantity: how many at most.
-- Returns: the tasks with their attempt, and why they count as stalled.
-- Locks: none; what is found is taken by attempt, so that a report that comes first wins.
-- Idempotent: yes.
create or replace function pgflow._find_stalled_tasks(quantity int)
returns table (run_id uuid, step_slug text, task_index int, attempts_count int, reason text)
language plpgsql
stable
set search_path to ''
as $$
#variable_conflict use_column
begin
  return query
  select
    task.run_id, task.step_slug::text, task.task_index, task.attempts_count,
    case
      when holder.is_lost then format('worker %s was lost', holder.worker_id)
      else format('the attempt outlived its timeout on worker %s', holder.worker_id)
    end
  from (
    select
      worker.worker_id,
      worker.stopped_at is not null or worker.last_heartbeat_at
        < clock_timestamp() - make_interval(secs => worker.lease_seconds) as is_lost
    from pgflow.workers as worker
  ) as holder
  join pgflow.step_tasks as task
    on task.last_worker_id = holder.worker_id and task.status = 'started'
  join pgflow.steps as step
    on step.flow_slug = task.flow_slug and step.step_slug = task.step_slug
  join pgflow.flows as flow on flow.flow_slug = task.flow_slug
  where holder.is_lost
    or task.started_at < clock_timestamp()
      - make_interval(secs => coalesce(step.opt_timeout, flow.opt_timeout) + 30)
  limit _find_stalled_tasks.quantity;
end
$$;

comment on function pgflow._find_stalled_tasks is
'Find started tasks that nobody will report any more.';
