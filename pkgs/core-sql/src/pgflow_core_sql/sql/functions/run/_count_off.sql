-- Count completed and skipped steps off their runs, and complete runs without steps left.
--
-- Parameters:
--   run_ids: one entry for each step that has been completed or skipped; NULL is none.
-- Returns: nothing.
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
    output = case when done.is_last then pgflow._leaf_outputs(run.run_id, run.flow_slug) end
  from (
    select live.place, counted.steps,
      live.status = 'started' and live.remaining_steps = counted.steps as is_last
    from (
      select step.run_id, count(*)::int as steps
      from unnest(_count_off.run_ids) as step (run_id)
      group by step.run_id
      order by step.run_id
    ) as counted
    cross join lateral (
      select each.ctid as place, each.status, each.remaining_steps
      from pgflow.runs as each
      where each.run_id = counted.run_id
      offset 0
    ) as live
  ) as done
  where run.ctid = done.place;
end
$$;

comment on function pgflow._count_off is
'Count completed and skipped steps off their runs, and complete runs without steps left.';
