-- Carry runs on after steps that have just ended, until nothing more follows by itself.
--
-- Parameters:
--   run_ids, step_slugs: the completed or skipped steps, as parallel arrays without duplicates.
-- Returns: nothing.
-- Locks: the caller holds the runs at least for no key update. Then step_states in 'created' by
--   (run_id, step_slug), which nobody without the run's lock writes to.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: no, it counts.
create or replace function pgflow._carry_on(run_ids uuid [], step_slugs text [])
returns void
language plpgsql
as $$
declare
  v_done uuid[] := _carry_on.run_ids;
  v_children record;
begin
  select children.* into v_children
  from pgflow._start_children(_carry_on.run_ids, _carry_on.step_slugs) as children;
  if v_children.started_run_ids is not null then
    perform pgflow._spawn_tasks(v_children.started_run_ids, v_children.started_step_slugs);
  end if;
  if v_children.unsettled_run_ids is not null then
    v_done := v_done || pgflow._settle_steps(
      v_children.unsettled_run_ids, v_children.unsettled_step_slugs
    );
  end if;
  perform pgflow._count_off(v_done);
end
$$;

comment on function pgflow._carry_on is
'Carry runs on after steps that have just ended, until nothing more follows by itself.';
