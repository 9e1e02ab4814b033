-- Find how strongly the runs of a batch of failures have to be locked.
--
-- Parameters:
--   failures: the reports.
-- Returns: 'exclusive' where a task may have used up its attempts, else 'share'. Attempts only
--   grow, and the report of another attempt than the current one changes nothing, so that what is
--   found here without a lock still holds under it.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._failure_lock(failures pgflow.failure_report [])
returns text
language plpgsql
as $$
begin
  return case
    when exists (
      select
      from unnest(_failure_lock.failures) as failure
      cross join lateral (
        select each.flow_slug, each.step_slug, each.released_count
        from pgflow.step_tasks as each
        where each.run_id = failure.run_id and each.step_slug = failure.step_slug
          and each.task_index = failure.task_index
        offset 0
      ) as task
      where failure.attempt is null or failure.is_final
        or failure.attempt - task.released_count
          >= pgflow._max_attempts(task.flow_slug, task.step_slug)
    ) then 'exclusive'
    else 'share'
  end;
end
$$;

comment on function pgflow._failure_lock is
'Find how strongly the runs of a batch of failures have to be locked.';
