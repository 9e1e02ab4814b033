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
as $$
begin
  with counted as (
    update pgflow.step_states as state
    set remaining_deps = state.remaining_deps - planned.deps,
      initial_tasks = planned.initial_tasks,
      status = case when planned.starts then 'started' else state.status end,
      remaining_tasks = case
        when planned.starts then planned.initial_tasks else state.remaining_tasks
      end,
      started_at = case when planned.starts then now() else state.started_at end
    from pgflow._plan_children(_start_children.run_ids, _start_children.step_slugs) as planned
    where state.ctid = planned.place and state.tableoid = planned.partition
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
