-- Lock tasks in the order of their keys, for a call that writes to them in several statements.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes: the tasks, as parallel arrays.
-- Returns: nothing.
-- Locks: the caller holds the runs. Then the tasks by key.
-- Idempotent: yes.
create or replace function pgflow._lock_tasks(
  run_ids uuid [], step_slugs text [], task_indexes int []
)
returns void
language plpgsql
as $$
begin
  perform
  from (
    select each.run_id, each.step_slug, each.task_index
    from unnest(_lock_tasks.run_ids, _lock_tasks.step_slugs, _lock_tasks.task_indexes)
      as each (run_id, step_slug, task_index)
    order by each.run_id, each.step_slug, each.task_index
  ) as report
  cross join lateral (
    select
    from pgflow.step_tasks as each
    where each.run_id = report.run_id and each.step_slug = report.step_slug
      and each.task_index = report.task_index and each.status = 'started'
    for no key update
    offset 0
  ) as task;
end
$$;

comment on function pgflow._lock_tasks is
'Lock tasks in the order of their keys, for a call that writes to them in several statements.';
