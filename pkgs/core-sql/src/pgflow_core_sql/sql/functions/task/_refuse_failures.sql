-- List the reports of failures that changed nothing and are not what is recorded.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes, attempts: as in fail_tasks.
-- Returns: a row each; refused as in _refuse_completions, or 'completed'. A report of an attempt
--   that is recorded as failed is not refused: it says what is so.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._refuse_failures(
  run_ids uuid [], step_slugs text [], task_indexes int [], attempts int []
)
returns setof pgflow.step_task_record
language plpgsql
stable
set search_path to ''
as $$
begin
  return query
  select
    task.flow_slug::text, report.run_id, report.step_slug, null::jsonb, report.task_index,
    null::jsonb, report.attempt,
    case
      when task.run_id is null then 'unknown_task'
      when task.attempts_count <> report.attempt then 'stale_attempt'
      else task.status
    end
  from unnest(
    _refuse_failures.run_ids, _refuse_failures.step_slugs, _refuse_failures.task_indexes,
    _refuse_failures.attempts
  ) as report (run_id, step_slug, task_index, attempt)
  left join pgflow.step_tasks as task
    on task.run_id = report.run_id and task.step_slug = report.step_slug
      and task.task_index = report.task_index
  where not exists (
    select from pgflow.task_attempts as attempt
    where attempt.run_id = report.run_id and attempt.step_slug = report.step_slug
      and attempt.task_index = report.task_index
      and attempt.attempt = coalesce(report.attempt, task.attempts_count)
  );
end
$$;

comment on function pgflow._refuse_failures is
'List the reports of failures that changed nothing and are not what is recorded.';
