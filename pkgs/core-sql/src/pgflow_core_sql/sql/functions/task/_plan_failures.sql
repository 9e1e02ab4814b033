-- Work out for failed attempts whether and when the task is tried again.
--
-- Parameters: as in _fail_batch.
-- Returns: a row for each report of a started task's current attempt; retry_at is NULL where no
--   attempt is left.
-- Locks: none.
-- Idempotent: yes, but for the jitter.
create or replace function pgflow._plan_failures(
  failures pgflow.failure_report [], may_exhaust boolean
)
returns table (
  run_id uuid, step_slug text, task_index int, attempt int, started_at timestamptz,
  retry_at timestamptz, error_message text, error_type text, traceback text,
  when_exhausted text, step_index int
)
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select
    task.run_id, task.step_slug::text, task.task_index, task.attempts_count, task.started_at,
    case when not _plan_failures.may_exhaust or (
      not report.is_final
      and task.attempts_count - task.released_count
        < coalesce(step.opt_max_attempts, flow.opt_max_attempts)
    ) then clock_timestamp() + make_interval(secs => coalesce(
      report.retry_delay,
      pgflow.calculate_retry_delay(
        coalesce(step.opt_base_delay, flow.opt_base_delay),
        task.attempts_count - task.released_count,
        coalesce(step.opt_max_delay, flow.opt_max_delay),
        coalesce(step.opt_jitter, flow.opt_jitter),
        coalesce(step.opt_backoff, flow.opt_backoff)
      )
    )) end,
    report.error_message, report.error_type, report.traceback, step.when_exhausted, step.step_index
  from unnest(_plan_failures.failures) as report
  join pgflow.step_tasks as task
    on task.run_id = report.run_id and task.step_slug = report.step_slug
      and task.task_index = report.task_index and task.status = 'started'
      and task.attempts_count = coalesce(report.attempt, task.attempts_count)
  join pgflow.steps as step
    on step.flow_slug = task.flow_slug and step.step_slug = task.step_slug
  join pgflow.flows as flow on flow.flow_slug = task.flow_slug;
end
$$;

comment on function pgflow._plan_failures is
'Work out for failed attempts whether and when the task is tried again.';
