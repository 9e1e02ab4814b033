-- Find started tasks that nobody will report any more.
--
-- Parameters:
--   quantity: how many at most; any of them, so that none that cannot be taken hides the others.
-- Returns: their attempts as failures, to be tried again at once; the message says why they count
--   as stalled. Sorted by key; never NULL.
-- Locks: none; what is found is taken by attempt, so that a report that comes first wins.
-- Idempotent: yes.
create or replace function pgflow._find_stalled_tasks(quantity int)
returns pgflow.failure_report []
language plpgsql
stable
as $$
begin
  return array(
    select (
      stalled.run_id, stalled.step_slug, stalled.task_index, stalled.attempts_count,
      stalled.reason, false, 0, null, null
    )::pgflow.failure_report
    from (
      select task.run_id, task.step_slug, task.task_index, task.attempts_count,
        case
          when holder.is_lost then format('worker %s was lost', task.last_worker_id)
          else format('the attempt outlived its timeout on worker %s', task.last_worker_id)
        end as reason
      from pgflow.step_tasks as task
      left join pgflow.workers as worker on worker.worker_id = task.last_worker_id
      join pgflow.steps as step
        on step.flow_slug = task.flow_slug and step.step_slug = task.step_slug
      join pgflow.flows as flow on flow.flow_slug = task.flow_slug
      cross join lateral (select pgflow._is_lost(worker) as is_lost) as holder
      where task.status = 'started' and task.last_worker_id is not null
        and (
          holder.is_lost
          or task.started_at < clock_timestamp()
            - make_interval(secs => coalesce(step.opt_timeout, flow.opt_timeout) + 30)
        )
      order by random()
      limit _find_stalled_tasks.quantity
    ) as stalled
    order by stalled.run_id, stalled.step_slug, stalled.task_index
  );
end
$$;

comment on function pgflow._find_stalled_tasks is
'Find started tasks that nobody will report any more.';
