-- Count ended steps off the steps that wait for them, and start those that are ready.
--
-- Parameters:
--   run_ids, step_slugs: the completed or skipped steps, as parallel arrays without duplicates.
-- Returns: the steps that have started and need tasks, and the steps that are ready but have a
--   condition or no tasks, as parallel arrays; NULL where there are none.
-- Locks: the caller holds the runs at least for no key update. Then step_states by
--   (run_id, step_slug).
-- Writes: step_states, each once: the same update that takes its last dependency starts a step.
-- Idempotent: no, it counts.
create or replace function pgflow._start_children(
  run_ids uuid [],
  step_slugs text [],
  out started_run_ids uuid [],
  out started_step_slugs text [],
  out unsettled_run_ids uuid [],
  out unsettled_step_slugs text []
)
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  with child as (
    select run.run_id, run.flow_slug, dep.step_slug, count(*)::int as deps
    from unnest(_start_children.run_ids, _start_children.step_slugs) as done (run_id, step_slug)
    join pgflow.runs as run on run.run_id = done.run_id and run.status = 'started'
    join pgflow.deps as dep on dep.flow_slug = run.flow_slug and dep.dep_slug = done.step_slug
    group by run.run_id, run.flow_slug, dep.step_slug
    order by run.run_id, dep.step_slug
  ),
  planned as (
    select
      child.run_id, child.step_slug, child.deps, tasks.initial_tasks,
      state.status = 'created' and state.remaining_deps = child.deps and tasks.initial_tasks > 0
        and num_nonnulls(step.required_input_pattern, step.forbidden_input_pattern) = 0 as starts
    from child
    join pgflow.steps as step
      on step.flow_slug = child.flow_slug and step.step_slug = child.step_slug
    join pgflow.step_states as state
      on state.run_id = child.run_id and state.step_slug = child.step_slug
    left join pgflow.step_states as source
      on source.run_id = child.run_id and source.step_slug = step.map_over
    cross join lateral (
      select coalesce(state.initial_tasks, case source.status
        when 'skipped' then 0
        when 'completed' then jsonb_array_length(source.output)
      end) as initial_tasks
    ) as tasks
  ),
  counted as (
    update pgflow.step_states as state
    set remaining_deps = state.remaining_deps - planned.deps,
      initial_tasks = planned.initial_tasks,
      status = case when planned.starts then 'started' else state.status end,
      remaining_tasks = case
        when planned.starts then planned.initial_tasks else state.remaining_tasks
      end,
      started_at = case when planned.starts then now() else state.started_at end
    from planned
    where state.run_id = planned.run_id and state.step_slug = planned.step_slug
    returning state.run_id, state.step_slug, planned.starts,
      state.status = 'created' and state.remaining_deps = 0 as is_ready
  )
  select
    array_agg(counted.run_id) filter (where counted.starts),
    array_agg(counted.step_slug) filter (where counted.starts),
    array_agg(counted.run_id) filter (where counted.is_ready),
    array_agg(counted.step_slug) filter (where counted.is_ready)
  into
    _start_children.started_run_ids, _start_children.started_step_slugs,
    _start_children.unsettled_run_ids, _start_children.unsettled_step_slugs
  from counted;
end
$$;

comment on function pgflow._start_children is
'Count ended steps off the steps that wait for them, and start those that are ready.';
