-- Carry on after steps that have just been completed or skipped: count them off their runs and off
-- the steps that wait for them, start what has become ready, and complete runs without steps left.
--
-- Parameters:
--   run_ids, step_slugs: the steps, as parallel arrays without duplicates; NULL is none.
-- Returns: the steps that have become ready but have a condition or no tasks, and so are for
--   _settle_steps, as parallel arrays; NULL where there are none.
-- Locks: the caller holds the runs at least for no key update. Then step_states in 'created' by
--   (run_id, step_slug), which nobody without the run's lock writes to.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: no, it counts.
create or replace function pgflow._advance_runs(
  run_ids uuid [],
  step_slugs text [],
  out unsettled_run_ids uuid [],
  out unsettled_step_slugs text []
)
language plpgsql
set search_path to ''
as $$
declare
  v_children record;
begin
  select children.* into v_children
  from pgflow._start_children(_advance_runs.run_ids, _advance_runs.step_slugs) as children;
  if v_children.started_run_ids is not null then
    perform pgflow._spawn_tasks(v_children.started_run_ids, v_children.started_step_slugs);
  end if;
  _advance_runs.unsettled_run_ids := v_children.unsettled_run_ids;
  _advance_runs.unsettled_step_slugs := v_children.unsettled_step_slugs;
  update pgflow.runs as run
  set remaining_steps = run.remaining_steps - done.steps,
    status = case when run.remaining_steps = done.steps then 'completed' else run.status end,
    completed_at = case
      when run.remaining_steps = done.steps then greatest(now(), run.started_at)
    end,
    output = case
      when run.remaining_steps = done.steps then pgflow._leaf_outputs(run.run_id, run.flow_slug)
    end
  from (
    select step.run_id, count(*)::int as steps
    from unnest(_advance_runs.run_ids) as step (run_id)
    group by step.run_id
    order by step.run_id
  ) as done
  where run.run_id = done.run_id and run.status = 'started';
end
$$;

comment on function pgflow._advance_runs is
'Carry on after steps that have just been completed or skipped.';
