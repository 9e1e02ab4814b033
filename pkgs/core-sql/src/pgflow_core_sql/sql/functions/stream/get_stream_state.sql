-- Tell how far a step's stream has come, and whether more may come.
--
-- In one statement with read_stream it holds of the very items that are read: no more can come
-- after them where is_ended.
--
-- Parameters:
--   run_id, step_slug: the step of the run.
--   task_index: one task of a map; NULL is all tasks.
-- Returns: is_ended, whether the task, or the step with all its tasks, has ended, until the run is
--   retried; last_position, the place of the latest item of the step, 0 where there is none.
-- Errors: PF002 no such run. PF003 no such step.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_stream_state(
  run_id uuid, step_slug text, task_index int default null
)
returns pgflow.stream_state
language plpgsql
stable
security definer
set search_path to pg_catalog, pg_temp
set plan_cache_mode to force_generic_plan
set join_collapse_limit to 1
set enable_seqscan to off
set enable_bitmapscan to off
set enable_hashjoin to off
set enable_mergejoin to off
set jit to off
as $$
declare
  v_state pgflow.stream_state;
begin
  select
    case state.status
      when 'created' then false
      -- A started step has all its tasks.
      when 'started' then get_stream_state.task_index is not null and not exists (
        select from pgflow.step_tasks as task
        where task.run_id = state.run_id and task.step_slug = state.step_slug
          and task.task_index = get_stream_state.task_index
          and task.status in ('queued', 'started')
      )
      else true
    end,
    coalesce(
      (
        select stream.last_position from pgflow.streams as stream
        where stream.run_id = state.run_id and stream.step_slug = state.step_slug
      ),
      0
    )
  into v_state
  from pgflow.step_states as state
  where state.run_id = get_stream_state.run_id
    and state.step_slug = get_stream_state.step_slug
    -- Whoever may not see the run, by a policy of the owner's, sees nothing of it.
    and exists (select from pgflow.runs as run where run.run_id = state.run_id offset 0);
  if not found then
    perform pgflow._require_step(
      pgflow._require_run(get_stream_state.run_id), get_stream_state.step_slug
    );
  end if;
  return v_state;
end
$$;

comment on function pgflow.get_stream_state is
'Tell how far a step''s stream has come, and whether more may come.';
