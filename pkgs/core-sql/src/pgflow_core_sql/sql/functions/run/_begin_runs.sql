-- Write new runs, the states of their steps, and the tasks of single steps that start with them.
--
-- All in one statement: what a statement costs before its first row is most of a single start. For
-- the same reason no exception handler, which is a subtransaction, meets an id that is taken.
--
-- Parameters:
--   flow_slug: the flow.
--   inputs, run_ids: one of each a run.
--   priority, tags, delayed_until, trace_context: of all the runs.
-- Returns: how many runs were written: those are left out whose input cannot start the flow or
--   whose id is taken. Then the maps that have started and need tasks, and the steps that are ready
--   but have a condition or no tasks, as parallel arrays; NULL where there are none.
-- Locks: none; the caller holds the row of the flow, and nobody else sees the runs yet.
-- Writes: runs, step_states, step_tasks. A flow without steps is completed at once.
-- Idempotent: no.
create or replace function pgflow._begin_runs(
  flow_slug text, inputs jsonb [], run_ids uuid [], priority smallint, tags jsonb,
  delayed_until timestamptz, trace_context jsonb,
  out runs int, out map_run_ids uuid [], out map_step_slugs text [],
  out unsettled_run_ids uuid [], out unsettled_step_slugs text []
)
language plpgsql
as $$
begin
  with flow as materialized (
    select count(*) as steps, coalesce(bool_or(step.map_over = 'run'), false) as takes_array
    from pgflow.steps as step
    where step.flow_slug = _begin_runs.flow_slug
  ),
  begun as (
    insert into pgflow.runs as run (
      run_id, flow_slug, input, remaining_steps, priority, tags, delayed_until, trace_context,
      status, completed_at, output
    )
    select
      new.run_id, _begin_runs.flow_slug, new.input, flow.steps, _begin_runs.priority,
      coalesce(_begin_runs.tags, '{}'), _begin_runs.delayed_until, _begin_runs.trace_context,
      case when flow.steps = 0 then 'completed' else 'started' end,
      case when flow.steps = 0 then now() end,
      case when flow.steps = 0 then '{}'::jsonb end
    from flow
    cross join unnest(_begin_runs.run_ids, _begin_runs.inputs) as new (run_id, input)
    where new.input is not null and (not flow.takes_array or jsonb_typeof(new.input) = 'array')
    on conflict do nothing
    returning run.run_id, run.input
  ),
  planned as (
    select run.run_id, step.*
    from begun as run
    cross join lateral pgflow._plan_first_steps(
      _begin_runs.flow_slug, run.input, _begin_runs.delayed_until
    ) as step
  ),
  states as (
    insert into pgflow.step_states (
      run_id, step_slug, flow_slug, status, remaining_deps, initial_tasks, remaining_tasks,
      started_at
    )
    select
      planned.run_id, planned.step_slug, _begin_runs.flow_slug, planned.status, planned.deps_count,
      planned.initial_tasks, planned.remaining_tasks, planned.started_at
    from planned
  ),
  tasks as (
    insert into pgflow.step_tasks (
      run_id, step_slug, task_index, flow_slug, priority, claimed_apart, order_at, available_at
    )
    select
      planned.run_id, planned.step_slug, 0, _begin_runs.flow_slug, _begin_runs.priority,
      planned.claimed_apart, planned.order_at, planned.available_at
    from planned
    where planned.started_at is not null and not planned.is_map
  )
  select
    (select count(*) from begun),
    array_agg(planned.run_id) filter (where planned.started_at is not null),
    array_agg(planned.step_slug) filter (where planned.started_at is not null),
    array_agg(planned.run_id) filter (where planned.started_at is null),
    array_agg(planned.step_slug) filter (where planned.started_at is null)
  into runs, map_run_ids, map_step_slugs, unsettled_run_ids, unsettled_step_slugs
  from planned
  where planned.deps_count = 0 and (planned.is_map or planned.started_at is null);
end
$$;

comment on function pgflow._begin_runs is
'Write new runs, the states of their steps, and the tasks of single steps that start with them.';
