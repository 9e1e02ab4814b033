-- Report the output of one task.
--
-- Parameters:
--   run_id, step_slug, task_index: the task.
--   output: its output; JSON null is an output like any other.
--   attempt: attempts_count of the claim; NULL is the current attempt.
-- Returns: the row of the task as it is now; none where there is no such task. Where it is not
--   'completed' by this attempt, the report changed nothing.
-- Locks: as complete_tasks.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: yes.
create or replace function pgflow.complete_task(
  run_id uuid, step_slug text, task_index int, output jsonb, attempt int default null
)
returns setof pgflow.step_tasks
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
as $$
begin
  perform from pgflow.complete_tasks(
    array[complete_task.run_id], array[complete_task.step_slug], array[complete_task.task_index],
    array[complete_task.output], array[complete_task.attempt]
  );
  return query
  select task.*
  from pgflow.step_tasks as task
  where task.run_id = complete_task.run_id and task.step_slug = complete_task.step_slug
    and task.task_index = complete_task.task_index;
end
$$;

comment on function pgflow.complete_task is 'Report the output of one task.';
