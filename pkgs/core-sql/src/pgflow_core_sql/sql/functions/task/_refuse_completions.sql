-- List the reports of outputs that changed nothing and are not what is recorded.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes, attempts: as in complete_tasks.
-- Returns: a row each. refused is 'unknown_task', 'stale_attempt' (the task was claimed again
--   since), or the status that the task has instead: queued, failed, skipped, cancelled.
--   A report of an attempt that is recorded as completed is not refused: it says what is so.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._refuse_completions(
  run_ids uuid [], step_slugs text [], task_indexes int [], attempts int []
)
returns setof pgflow.step_task_record
language plpgsql
stable
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
    _refuse_completions.run_ids, _refuse_completions.step_slugs, _refuse_completions.task_indexes,
    _refuse_completions.attempts
  ) as report (run_id, step_slug, task_index, attempt)
  left join lateral (
    select each.run_id, each.flow_slug, each.attempts_count, each.status
    from pgflow.step_tasks as each
    where each.run_id = report.run_id and each.step_slug = report.step_slug
      and each.task_index = report.task_index
    offset 0
  ) as task on true
  where task.run_id is null or task.status <> 'completed'
    or task.attempts_count <> report.attempt;
end
$$;

comment on function pgflow._refuse_completions is
'List the reports of outputs that changed nothing and are not what is recorded.';
