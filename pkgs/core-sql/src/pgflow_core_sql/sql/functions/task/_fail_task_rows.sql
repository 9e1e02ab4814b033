-- Put failed tasks back into the queue, or end those without attempts left, and keep the attempts.
--
-- Parameters: as in _fail_batch.
-- Returns: recorded, how many attempts failed now; exhausted, the steps that this ends, each with
--   its when_exhausted as the verdict, or NULL.
-- Locks: step_tasks by key; the caller holds the runs.
-- Writes: step_tasks, task_attempts.
-- Idempotent: yes, only a started task of the named attempt fails.
create or replace function pgflow._fail_task_rows(
  failures pgflow.failure_report [], may_exhaust boolean,
  out recorded int,
  out exhausted pgflow.step_verdict []
)
language plpgsql
as $$
begin
  with report as (
    select each.*
    from pgflow._plan_failures(_fail_task_rows.failures, _fail_task_rows.may_exhaust) as each
    order by each.run_id, each.step_slug, each.task_index
  ),
  failed as (
    update pgflow.step_tasks as task
    set status = case when report.retry_at is null then 'failed' else 'queued' end,
      failed_at = case
        when report.retry_at is null then greatest(now(), task.started_at)
      end,
      available_at = coalesce(report.retry_at, task.available_at),
      order_at = case
        when report.retry_at > clock_timestamp() then 'infinity'
        else greatest(task.order_at, now())
      end,
      started_at = case when report.retry_at is null then task.started_at end,
      error_message = report.error_message
    from report
    -- Asked again: to the task that a lock is waited for, anything may happen meanwhile.
    where task.ctid = report.place and task.tableoid = report.partition
      and task.status = 'started' and task.attempts_count = report.attempt
    returning task.run_id, task.step_slug, task.task_index, task.flow_slug, task.attempts_count,
      task.last_worker_id, report.started_at, report.retry_at, report.error_message,
      report.error_type, report.traceback, report.when_exhausted, report.step_index
  ),
  kept as (
    insert into pgflow.task_attempts (
      run_id, step_slug, task_index, attempt, worker_id, started_at, retry_at, error_message,
      error_type, traceback
    )
    select failed.run_id, failed.step_slug, failed.task_index, failed.attempts_count,
      failed.last_worker_id, failed.started_at, failed.retry_at, failed.error_message,
      failed.error_type, failed.traceback
    from failed
  ),
  ended as (
    select distinct on (failed.run_id, failed.step_slug)
      (failed.run_id, failed.step_slug, failed.flow_slug, failed.step_index,
        failed.when_exhausted, failed.error_message)::pgflow.step_verdict as verdict
    from failed
    where failed.retry_at is null
    order by failed.run_id, failed.step_slug, failed.task_index
  )
  select (select count(*) from failed), (select array_agg(ended.verdict) from ended)
  into _fail_task_rows.recorded, _fail_task_rows.exhausted;
end
$$;

comment on function pgflow._fail_task_rows is
'Put failed tasks back into the queue, or end those without attempts left, and keep the attempts.';
