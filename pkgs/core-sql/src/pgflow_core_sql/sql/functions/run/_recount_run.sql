-- Count anew what is left of a run and of what its steps wait for.
--
-- Parameters:
--   run_id: the run, which the caller holds for update.
-- Returns: nothing.
-- Locks: the caller holds the run. Then its step_states.
-- Writes: runs, step_states (remaining_deps, and initial_tasks of steps in 'created').
-- Idempotent: yes.
create or replace function pgflow._recount_run(run_id uuid)
returns void
language plpgsql
as $$
begin
  update pgflow.step_states as state
  set remaining_deps = (
      select count(*)
      from pgflow.deps as dep
      join pgflow.step_states as parent
        on parent.run_id = state.run_id and parent.step_slug = dep.dep_slug
      where dep.flow_slug = state.flow_slug and dep.step_slug = state.step_slug
        and parent.status not in ('completed', 'skipped')
    ),
    initial_tasks = case
      when state.status <> 'created' then state.initial_tasks
      when step.step_type = 'single' then 1
      when step.map_over = 'run' then jsonb_array_length(run.input)
      else (
        select case source.status
          when 'skipped' then 0
          when 'completed' then jsonb_array_length(source.output)
        end
        from pgflow.step_states as source
        where source.run_id = state.run_id and source.step_slug = step.map_over
      )
    end
  from pgflow.runs as run
  join pgflow.steps as step on step.flow_slug = run.flow_slug
  where run.run_id = _recount_run.run_id and state.run_id = run.run_id
    and state.step_slug = step.step_slug;
  update pgflow.runs as run
  set remaining_steps = (
    select count(*)
    from pgflow.step_states as state
    where state.run_id = run.run_id and state.status not in ('completed', 'skipped')
  )
  where run.run_id = _recount_run.run_id;
end
$$;

comment on function pgflow._recount_run is
'Count anew what is left of a run and of what its steps wait for.';
