-- Find the steps that wait for steps that have just ended, and which of them can start.
--
-- Parameters:
--   run_ids, step_slugs: as in _start_children.
-- Returns: a row for each, in the order of (run_id, step_slug): the place of its row in
--   step_states and the table that it is in, how many of its dependencies have ended, how many
--   tasks it has (NULL for a map whose array is not there yet), and whether it starts. Runs that
--   have ended are left out.
-- Locks: none; the caller holds the runs, so that the places stay what they are.
-- Idempotent: yes.
create or replace function pgflow._plan_children(run_ids uuid [], step_slugs text [])
returns table (place tid, partition oid, deps int, initial_tasks int, starts boolean)
language plpgsql
stable
as $$
#variable_conflict use_column
begin
  return query
  with child as (
    select run.run_id, run.flow_slug, dep.step_slug, count(*)::int as deps
    from unnest(_plan_children.run_ids, _plan_children.step_slugs) as done (run_id, step_slug)
    cross join lateral (
      select each.run_id, each.flow_slug
      from pgflow.runs as each
      where each.run_id = done.run_id and each.status = 'started'
      offset 0
    ) as run
    cross join lateral (
      select each.step_slug
      from pgflow.deps as each
      where each.flow_slug = run.flow_slug and each.dep_slug = done.step_slug
      offset 0
    ) as dep
    group by run.run_id, run.flow_slug, dep.step_slug
    order by run.run_id, dep.step_slug
  )
  select
    state.place, state.partition, child.deps, tasks.initial_tasks,
    state.status = 'created' and state.remaining_deps = child.deps and tasks.initial_tasks > 0
      and num_nonnulls(step.required_input_pattern, step.forbidden_input_pattern) = 0 as starts
  from child
  cross join lateral (
    select each.map_over, each.required_input_pattern, each.forbidden_input_pattern
    from pgflow.steps as each
    where each.flow_slug = child.flow_slug and each.step_slug = child.step_slug
    offset 0
  ) as step
  cross join lateral (
    select each.ctid as place, each.tableoid as partition, each.status, each.remaining_deps,
      each.initial_tasks
    from pgflow.step_states as each
    where each.run_id = child.run_id and each.step_slug = child.step_slug
    offset 0
  ) as state
  left join lateral (
    select each.status, each.output
    from pgflow.step_states as each
    where each.run_id = child.run_id and each.step_slug = step.map_over
    offset 0
  ) as source on true
  cross join lateral (
    select coalesce(state.initial_tasks, case source.status
      when 'skipped' then 0
      when 'completed' then jsonb_array_length(source.output)
    end) as initial_tasks
  ) as tasks;
end
$$;

comment on function pgflow._plan_children is
'Find the steps that wait for steps that have just ended, and which of them can start.';
