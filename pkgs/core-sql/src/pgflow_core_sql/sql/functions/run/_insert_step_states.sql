-- Write the step states of new runs; root steps without a condition start with them.
--
-- Parameters:
--   flow_slug: the flow.
--   inputs, run_ids: one of each a run.
--   steps: how many steps were counted into the runs; one that was added since is left out.
-- Returns: the steps that have started and need tasks, and the steps that are ready but have a
--   condition or no tasks, as parallel arrays; NULL where there are none.
-- Locks: none; nobody else sees the runs yet.
-- Writes: step_states.
-- Idempotent: no.
create or replace function pgflow._insert_step_states(
  flow_slug text,
  inputs jsonb [],
  run_ids uuid [],
  steps int,
  out started_run_ids uuid [],
  out started_step_slugs text [],
  out unsettled_run_ids uuid [],
  out unsettled_step_slugs text []
)
language plpgsql
as $$
begin
  with planned as (
    select
      new.run_id, step.step_slug, step.deps_count, tasks.initial_tasks,
      step.deps_count = 0 and tasks.initial_tasks > 0
        and num_nonnulls(step.required_input_pattern, step.forbidden_input_pattern) = 0 as starts
    from unnest(_insert_step_states.run_ids, _insert_step_states.inputs) as new (run_id, input)
    cross join pgflow.steps as step
    cross join lateral (
      select case
        when step.step_type = 'single' then 1
        when step.map_over = 'run' then jsonb_array_length(new.input)
      end as initial_tasks
    ) as tasks
    where step.flow_slug = _insert_step_states.flow_slug
      and step.step_index < _insert_step_states.steps
  ),
  inserted as (
    insert into pgflow.step_states as state (
      run_id, step_slug, flow_slug, status, remaining_deps, initial_tasks, remaining_tasks,
      started_at
    )
    select
      planned.run_id, planned.step_slug, _insert_step_states.flow_slug,
      case when planned.starts then 'started' else 'created' end,
      planned.deps_count, planned.initial_tasks,
      case when planned.starts then planned.initial_tasks end,
      case when planned.starts then now() end
    from planned
    returning state.run_id, state.step_slug, state.status, state.remaining_deps
  )
  select
    array_agg(inserted.run_id) filter (where inserted.status = 'started'),
    array_agg(inserted.step_slug) filter (where inserted.status = 'started'),
    array_agg(inserted.run_id)
      filter (where inserted.status = 'created' and inserted.remaining_deps = 0),
    array_agg(inserted.step_slug)
      filter (where inserted.status = 'created' and inserted.remaining_deps = 0)
  into
    _insert_step_states.started_run_ids, _insert_step_states.started_step_slugs,
    _insert_step_states.unsettled_run_ids, _insert_step_states.unsettled_step_slugs
  from inserted;
end
$$;

comment on function pgflow._insert_step_states is
'Write the step states of new runs; root steps without a condition start with them.';
