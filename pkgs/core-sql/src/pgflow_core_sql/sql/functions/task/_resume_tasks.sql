-- Queue what is left of reopened steps that had tasks and can go on with them.
--
-- Parameters:
--   run_id: the run, which the caller holds for update.
--   step_slugs: its reopened steps, in 'created'.
--   repeated: those of them that do not go on but begin anew.
-- Returns: the steps that go on: ready, not repeated, and with tasks; never NULL. They are started,
--   and their tasks that are not completed are queued with all their attempts.
-- Locks: the caller holds the run. Then its step_states and step_tasks.
-- Writes: step_states, step_tasks.
-- Idempotent: yes.
create or replace function pgflow._resume_tasks(run_id uuid, step_slugs text [], repeated text [])
returns text []
language plpgsql
as $$
declare
  v_resumed text[];
begin
  with left_over as (
    select task.step_slug, task.task_index, run.delayed_until,
      row_number() over (partition by task.step_slug order by task.task_index) - 1 as place
    from pgflow.step_states as state
    join pgflow.runs as run on run.run_id = state.run_id
    join pgflow.step_tasks as task
      on task.run_id = state.run_id and task.step_slug = state.step_slug
    where state.run_id = _resume_tasks.run_id
      and state.step_slug = any (_resume_tasks.step_slugs)
      and state.step_slug <> all (_resume_tasks.repeated)
      and state.remaining_deps = 0 and task.status <> 'completed'
  ),
  queued as (
    update pgflow.step_tasks as task
    set status = 'queued', released_count = task.attempts_count, started_at = null,
      failed_at = null, skipped_at = null, cancelled_at = null, output = null,
      order_at = case
        when left_over.delayed_until > now() then 'infinity'
        else pgflow._place_in_queue(now(), left_over.place)
      end,
      available_at = greatest(now(), left_over.delayed_until)
    from left_over
    where task.run_id = _resume_tasks.run_id and task.step_slug = left_over.step_slug
      and task.task_index = left_over.task_index
    returning task.step_slug
  ),
  resumed as (
    update pgflow.step_states as state
    set status = 'started', started_at = now(), remaining_tasks = ready.tasks
    from (
      select queued.step_slug, count(*) as tasks from queued group by queued.step_slug
    ) as ready
    where state.run_id = _resume_tasks.run_id and state.step_slug = ready.step_slug
    returning state.step_slug
  )
  select array_agg(resumed.step_slug) into v_resumed
  from resumed;
  return coalesce(v_resumed, '{}');
end
$$;

comment on function pgflow._resume_tasks is
'Queue what is left of reopened steps that had tasks and can go on with them.';
