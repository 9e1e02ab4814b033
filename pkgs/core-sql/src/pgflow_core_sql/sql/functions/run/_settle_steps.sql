-- Decide steps that are ready but have a condition or no tasks, and what follows, until nothing is
-- left to decide: one fixpoint over conditions, skips and completions without tasks.
--
-- Parameters:
--   run_ids, step_slugs: the steps, as parallel arrays; NULL is none.
-- Returns: nothing.
-- Locks: the caller holds the runs: for update where a condition can fail one, else at least for no
--   key update.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: no, it counts.
create or replace function pgflow._settle_steps(run_ids uuid [], step_slugs text [])
returns void
language plpgsql
set search_path to ''
as $$
declare
  v_run_ids uuid[] := _settle_steps.run_ids;
  v_step_slugs text[] := _settle_steps.step_slugs;
  v_decided record;
begin
  while cardinality(v_run_ids) > 0 loop
    select decided.* into v_decided
    from pgflow._decide_steps(v_run_ids, v_step_slugs) as decided;
    if v_decided.failed_run_ids is not null then
      perform pgflow._fail_runs(
        v_decided.failed_run_ids, v_decided.failed_step_slugs,
        array_fill('condition not met'::text, array[cardinality(v_decided.failed_run_ids)])
      );
    end if;
    if v_decided.started_run_ids is not null then
      perform pgflow._spawn_tasks(v_decided.started_run_ids, v_decided.started_step_slugs);
    end if;
    -- A failed run is no longer counted: _advance_runs touches only runs that are under way.
    select advanced.unsettled_run_ids, advanced.unsettled_step_slugs
    into v_run_ids, v_step_slugs
    from pgflow._advance_runs(v_decided.done_run_ids, v_decided.done_step_slugs) as advanced;
  end loop;
end
$$;

comment on function pgflow._settle_steps is
'Decide steps that are ready but have a condition or no tasks, and what follows.';
