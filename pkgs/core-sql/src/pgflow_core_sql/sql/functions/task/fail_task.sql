-- Report a failed attempt of one task.
--
-- Parameters:
--   run_id, step_slug, task_index: the task.
--   error_message: what went wrong; shortened to 10,000 characters.
--   attempt: attempts_count of the claim; NULL is the current attempt.
--   is_final: true ends the task without another attempt.
--   retry_delay: seconds until the next attempt in place of the computed delay; NULL computes it.
--   error_type, traceback: as in fail_tasks; NULL for none.
-- Returns: the row of the task as it is now; none where there is no such task.
-- Locks: as fail_tasks.
-- Writes: runs, step_states, step_tasks, task_attempts.
-- Idempotent: yes, where attempt is given.
create or replace function pgflow.fail_task(
  run_id uuid, step_slug text, task_index int, error_message text, attempt int default null,
  is_final boolean default false, retry_delay int default null,
  error_type text default null, traceback text default null
)
returns setof pgflow.step_tasks
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
as $$
begin
  perform from pgflow.fail_tasks(
    array[fail_task.run_id], array[fail_task.step_slug], array[fail_task.task_index],
    array[fail_task.error_message], array[fail_task.attempt], array[fail_task.is_final],
    array[fail_task.retry_delay], array[fail_task.error_type], array[fail_task.traceback]
  );
  return query
  select task.*
  from pgflow.step_tasks as task
  where task.run_id = fail_task.run_id and task.step_slug = fail_task.step_slug
    and task.task_index = fail_task.task_index;
end
$$;

comment on function pgflow.fail_task is 'Report a failed attempt of one task.';
