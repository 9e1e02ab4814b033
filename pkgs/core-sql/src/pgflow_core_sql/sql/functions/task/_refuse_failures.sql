-- List the reports of failures that changed nothing and are not what is recorded.
--
-- Parameters:
--   failures: the reports.
-- Returns: a row each; refused as in _refuse_completions, or 'completed'. A report of an attempt
--   that is recorded as failed is not refused: it says what is so.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._refuse_failures(failures pgflow.failure_report [])
returns setof pgflow.step_task_record
language plpgsql
stable
as $$
begin
  return query
  select
    task.flow_slug::text, failure.run_id, failure.step_slug, null::jsonb, failure.task_index,
    null::jsonb, failure.attempt,
    case
      when task.run_id is null then 'unknown_task'
      when task.attempts_count <> failure.attempt then 'stale_attempt'
      else task.status
    end
  from unnest(_refuse_failures.failures) as failure
  left join lateral (
    select each.run_id, each.flow_slug, each.attempts_count, each.status
    from pgflow.step_tasks as each
    where each.run_id = failure.run_id and each.step_slug = failure.step_slug
      and each.task_index = failure.task_index
    offset 0
  ) as task on true
  where not exists (
    select from pgflow.task_attempts as attempt
    where attempt.run_id = failure.run_id and attempt.step_slug = failure.step_slug
      and attempt.task_index = failure.task_index
      and attempt.attempt = coalesce(failure.attempt, task.attempts_count)
    offset 0
  );
end
$$;

comment on function pgflow._refuse_failures is
'List the reports of failures that changed nothing and are not what is recorded.';
