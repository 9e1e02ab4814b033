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
  place tid, partition oid, run_id uuid, step_slug text, task_index int, attempt int,
  started_at timestamptz, retry_at timestamptz, error_message text, error_type text, traceback text,
  when_exhausted text, step_index int
)
language plpgsql
as $$
#variable_conflict use_column
begin
  return query
  select
    task.place, task.partition, task.run_id, task.step_slug::text, task.task_index,
    task.attempts_count, task.started_at,
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
  cross join lateral (
    select each.ctid as place, each.tableoid as partition, each.flow_slug, each.run_id,
      each.step_slug, each.task_index, each.attempts_count, each.released_count, each.started_at
    from pgflow.step_tasks as each
    where each.run_id = report.run_id and each.step_slug = report.step_slug
      and each.task_index = report.task_index and each.status = 'started'
      and each.attempts_count = coalesce(report.attempt, each.attempts_count)
    offset 0
  ) as task
  cross join lateral (
    select each.opt_max_attempts, each.opt_base_delay, each.opt_max_delay, each.opt_jitter,
      each.opt_backoff, each.when_exhausted, each.step_index
    from pgflow.steps as each
    where each.flow_slug = task.flow_slug and each.step_slug = task.step_slug
    offset 0
  ) as step
  join pgflow.flows as flow on flow.flow_slug = task.flow_slug;
end
$$;

comment on function pgflow._plan_failures is
'Work out for failed attempts whether and when the task is tried again.';
