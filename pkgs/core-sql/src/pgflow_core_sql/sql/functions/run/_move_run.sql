-- Have a run go on as another version of its flow.
--
-- Steps that the version has not got go with their tasks; those that it has more are made.
--
-- Parameters:
--   run_id: the run, which the caller holds for update; what has ended of it fits the version.
--   flow_slug: the version.
-- Returns: nothing.
-- Locks: the caller holds the run and its tasks. Then its step_states.
-- Writes: runs, step_states, step_tasks. The counts of the run are to be made anew.
-- Idempotent: yes.
create or replace function pgflow._move_run(run_id uuid, flow_slug text)
returns void
language plpgsql
set enable_seqscan to off
as $$
begin
  update pgflow.runs as run
  set flow_slug = _move_run.flow_slug
  where run.run_id = _move_run.run_id;
  delete from pgflow.step_tasks as task
  where task.run_id = _move_run.run_id and not exists (
    select from pgflow.steps as step
    where step.flow_slug = _move_run.flow_slug and step.step_slug = task.step_slug
  );
  update pgflow.step_tasks as task
  set flow_slug = _move_run.flow_slug
  where task.run_id = _move_run.run_id;
  delete from pgflow.step_states as state
  where state.run_id = _move_run.run_id and not exists (
    select from pgflow.steps as step
    where step.flow_slug = _move_run.flow_slug and step.step_slug = state.step_slug
  );
  update pgflow.step_states as state
  set flow_slug = _move_run.flow_slug
  where state.run_id = _move_run.run_id;
  insert into pgflow.step_states (run_id, step_slug, flow_slug, remaining_deps)
  select _move_run.run_id, step.step_slug, step.flow_slug, step.deps_count
  from pgflow.steps as step
  where step.flow_slug = _move_run.flow_slug
  order by step.step_slug
  on conflict on constraint step_states_pkey do nothing;
end
$$;

comment on function pgflow._move_run is 'Have a run go on as another version of its flow.';
