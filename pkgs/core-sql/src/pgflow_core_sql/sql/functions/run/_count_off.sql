-- Count completed and skipped steps off their runs, and complete runs without steps left.
--
-- Parameters:
--   run_ids: one entry for each step that has been completed or skipped; NULL is none.
-- Returns: nothing. The output of a run that this completes is {leaf step: output} over its
--   completed steps that nothing depends on.
-- Locks: the caller holds the runs at least for no key update.
-- Writes: runs, each once.
-- Idempotent: no, it counts.
create or replace function pgflow._count_off(run_ids uuid [])
returns void
language plpgsql
as $$
begin
  update pgflow.runs as run
  set remaining_steps = run.remaining_steps - done.steps,
    status = case when done.is_last then 'completed' else run.status end,
    completed_at = case when done.is_last then greatest(now(), run.started_at) end,
    output = case when done.is_last then (
      select coalesce(jsonb_object_agg(state.step_slug, state.output), '{}'::jsonb)
      from pgflow.steps as step
      cross join lateral (
        select each.step_slug, each.output
        from pgflow.step_states as each
        where each.run_id = run.run_id and each.step_slug = step.step_slug
          and each.status = 'completed'
        offset 0
      ) as state
      where step.flow_slug = run.flow_slug and step.is_leaf
    ) end
  from (
    select live.place, live.partition, counted.steps,
      live.status = 'started' and live.remaining_steps = counted.steps as is_last
    from (
      select step.run_id, count(*)::int as steps
      from unnest(_count_off.run_ids) as step (run_id)
      group by step.run_id
      order by step.run_id
    ) as counted
    cross join lateral (
      select each.ctid as place, each.tableoid as partition, each.status, each.remaining_steps
      from pgflow.runs as each
      where each.run_id = counted.run_id
      offset 0
    ) as live
  ) as done
  where run.ctid = done.place and run.tableoid = done.partition;
end
$$;

comment on function pgflow._count_off is
'Count completed and skipped steps off their runs, and complete runs without steps left.';
