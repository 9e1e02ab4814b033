-- Decide steps that are ready but have a condition or no tasks, and what follows from it.
--
-- One fixpoint over conditions, skips and completions without tasks, until nothing is left to
-- decide.
--
-- Parameters:
--   run_ids, step_slugs: the steps, as parallel arrays; NULL is none.
-- Returns: the run of each step that is completed or skipped now, for _count_off, which the caller
--   calls once: a run's row that is written in each round would make long chains quadratic.
-- Locks: the caller holds the runs: for update where a condition can fail one, else at least for no
--   key update.
-- Writes: runs that fail, step_states, step_tasks.
-- Idempotent: no, it counts.
create or replace function pgflow._settle_steps(run_ids uuid [], step_slugs text [])
returns uuid []
language plpgsql
as $$
declare
  v_run_ids uuid[] := _settle_steps.run_ids;
  v_step_slugs text[] := _settle_steps.step_slugs;
  v_decided record;
  v_children record;
  v_done uuid[] := array[]::uuid[];
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
    v_done := v_done || v_decided.done_run_ids;
    select children.* into v_children
    from pgflow._start_children(v_decided.done_run_ids, v_decided.done_step_slugs) as children;
    perform pgflow._spawn_tasks(
      v_decided.started_run_ids || v_children.started_run_ids,
      v_decided.started_step_slugs || v_children.started_step_slugs
    );
    v_run_ids := v_children.unsettled_run_ids;
    v_step_slugs := v_children.unsettled_step_slugs;
  end loop;
  return v_done;
end
$$;

comment on function pgflow._settle_steps is
'Decide steps that are ready but have a condition or no tasks, and what follows from it.';
