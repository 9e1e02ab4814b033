-- Carry runs on after steps that have just ended, until nothing more follows by itself.
--
-- Parameters:
--   run_ids, step_slugs: the completed or skipped steps, as parallel arrays without duplicates.
-- Returns: nothing.
-- Locks: as _advance_runs and _settle_steps.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: no, it counts.
create or replace function pgflow._carry_on(run_ids uuid [], step_slugs text [])
returns void
language plpgsql
set search_path to ''
as $$
declare
  v_unsettled record;
begin
  select advanced.* into v_unsettled
  from pgflow._advance_runs(_carry_on.run_ids, _carry_on.step_slugs) as advanced;
  if v_unsettled.unsettled_run_ids is not null then
    perform pgflow._settle_steps(v_unsettled.unsettled_run_ids, v_unsettled.unsettled_step_slugs);
  end if;
end
$$;

comment on function pgflow._carry_on is
'Carry runs on after steps that have just ended, until nothing more follows by itself.';
