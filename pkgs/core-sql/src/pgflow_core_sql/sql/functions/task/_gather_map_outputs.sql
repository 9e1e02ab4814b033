-- Store the outputs of completed maps: the array of their tasks' outputs, in order.
--
-- Parameters:
--   run_ids, step_slugs: completed steps, as parallel arrays; single ones among them are left
--     alone.
-- Returns: nothing.
-- Locks: the caller holds the runs and the step_states.
-- Writes: step_states. A statement of its own, because only a snapshot taken after the last counter
--   was written sees what other workers have recorded.
-- Idempotent: yes.
create or replace function pgflow._gather_map_outputs(run_ids uuid [], step_slugs text [])
returns void
language plpgsql
as $$
begin
  update pgflow.step_states as state
  set output = (
    select coalesce(jsonb_agg(task.output order by task.task_index), '[]')
    from pgflow.step_tasks as task
    where task.run_id = state.run_id and task.step_slug = state.step_slug
  )
  from unnest(_gather_map_outputs.run_ids, _gather_map_outputs.step_slugs)
    as ended (run_id, step_slug)
  cross join lateral (
    select each.ctid as place, each.tableoid as partition, each.flow_slug
    from pgflow.step_states as each
    where each.run_id = ended.run_id and each.step_slug = ended.step_slug
    offset 0
  ) as found
  cross join lateral (
    select each.step_type
    from pgflow.steps as each
    where each.flow_slug = found.flow_slug and each.step_slug = ended.step_slug
    offset 0
  ) as step
  where state.ctid = found.place and state.tableoid = found.partition and step.step_type = 'map';
end
$$;

comment on function pgflow._gather_map_outputs is
'Store the outputs of completed maps: the array of their tasks'' outputs, in order.';
