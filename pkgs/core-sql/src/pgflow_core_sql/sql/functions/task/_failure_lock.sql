-- Find how strongly the runs of a batch of failures have to be locked.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes, attempts, are_final: as in fail_tasks.
-- Returns: 'exclusive' where a task may have used up its attempts, else 'share'. Attempts only
--   grow, and the report of another attempt than the current one changes nothing, so that what is
--   found here without a lock still holds under it.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._failure_lock(
  run_ids uuid [], step_slugs text [], task_indexes int [], attempts int [], are_final boolean []
)
returns text
language plpgsql
set search_path to ''
as $$
begin
  return case
    when exists (
      select
      from unnest(
        _failure_lock.run_ids, _failure_lock.step_slugs, _failure_lock.task_indexes,
        _failure_lock.attempts, _failure_lock.are_final
      ) as report (run_id, step_slug, task_index, attempt, is_final)
      join pgflow.step_tasks as task
        on task.run_id = report.run_id and task.step_slug = report.step_slug
          and task.task_index = report.task_index
      where report.attempt is null or report.is_final
        or report.attempt - task.released_count
          >= pgflow._max_attempts(task.flow_slug, task.step_slug)
    ) then 'exclusive'
    else 'share'
  end;
end
$$;

comment on function pgflow._failure_lock is
'Find how strongly the runs of a batch of failures have to be locked.';
