-- Decide every step of a run that is ready.
--
-- Parameters:
--   run_id: the run, which the caller holds for update.
-- Returns: nothing.
-- Locks: as _settle_steps.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: yes.
create or replace function pgflow._settle_ready_steps(run_id uuid)
returns void
language plpgsql
as $$
declare
  v_ready record;
begin
  select array_agg(state.run_id) as run_ids, array_agg(state.step_slug) as step_slugs
  into v_ready
  from pgflow.step_states as state
  where state.run_id = _settle_ready_steps.run_id and state.status = 'created'
    and state.remaining_deps = 0;
  perform pgflow._count_off(pgflow._settle_steps(v_ready.run_ids, v_ready.step_slugs));
end
$$;

comment on function pgflow._settle_ready_steps is 'Decide every step of a run that is ready.';
