-- Write the step states of new runs, and the tasks of single steps that start with them.
--
-- Both in one statement, as they come from the same rows.
--
-- Parameters:
--   flow_slug: the flow.
--   inputs, run_ids: one of each a run.
--   steps: how many steps were counted into the runs; one that was added since is left out.
--   priority, delayed_until: of the runs.
-- Returns: the maps that have started and need tasks, and the steps that are ready but have a
--   condition or no tasks, as parallel arrays; NULL where there are none.
-- Locks: none; nobody else sees the runs yet.
-- Writes: step_states, step_tasks.
-- Idempotent: no.
create or replace function pgflow._insert_step_states(
  flow_slug text, inputs jsonb [], run_ids uuid [], steps int, priority smallint,
  delayed_until timestamptz,
  out map_run_ids uuid [], out map_step_slugs text [],
  out unsettled_run_ids uuid [], out unsettled_step_slugs text []
)
language plpgsql
as $$
begin
  with planned as (
    select
      new.run_id, step.step_slug, step.step_type, step.deps_count, step.claimed_apart,
      coalesce(step.opt_start_delay, 0) as start_delay, tasks.initial_tasks,
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
  states as (
    insert into pgflow.step_states (
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
  ),
  tasks as (
    insert into pgflow.step_tasks (
      run_id, step_slug, task_index, flow_slug, priority, claimed_apart, order_at, available_at
    )
    select
      planned.run_id, planned.step_slug, 0, _insert_step_states.flow_slug,
      _insert_step_states.priority, planned.claimed_apart,
      case when due.at > now() then 'infinity' else now() end, due.at
    from planned
    cross join lateral (
      select greatest(now(), _insert_step_states.delayed_until)
        + make_interval(secs => planned.start_delay) as at
    ) as due
    where planned.starts and planned.step_type = 'single'
  )
  select
    array_agg(planned.run_id) filter (where planned.starts),
    array_agg(planned.step_slug) filter (where planned.starts),
    array_agg(planned.run_id) filter (where not planned.starts),
    array_agg(planned.step_slug) filter (where not planned.starts)
  into
    _insert_step_states.map_run_ids, _insert_step_states.map_step_slugs,
    _insert_step_states.unsettled_run_ids, _insert_step_states.unsettled_step_slugs
  from planned
  where planned.deps_count = 0 and not (planned.starts and planned.step_type = 'single');
end
$$;

comment on function pgflow._insert_step_states is
'Write the step states of new runs, and the tasks of single steps that start with them.';
