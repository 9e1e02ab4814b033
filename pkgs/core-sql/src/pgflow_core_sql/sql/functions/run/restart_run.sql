-- Repeat a step of a run and all that depends on it; other steps keep their outputs.
--
-- What was skipped together with a step elsewhere in the run stays so. Steps that failed or were
-- cancelled elsewhere start afresh too, so that the run can end. Work that is under way on a
-- repeated step is cancelled. What was tried before stays in task_attempts. A step that has not
-- begun has nothing to repeat, and the run stays as it is.
--
-- Parameters:
--   run_id: the run, in whatever status.
--   from_step: the step.
-- Returns: the row of the run as it is now.
-- Errors: PF002 no such run. PF003 no such step.
-- Locks: the run for update; then its step_states and step_tasks.
-- Writes: runs, run_reopenings, step_states, step_tasks.
-- Idempotent: no, each call repeats the step.
create or replace function pgflow.restart_run(run_id uuid, from_step text)
returns setof pgflow.runs
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
as $$
declare
  v_run pgflow.runs;
  v_repeated text[];
  v_reopened text[];
begin
  perform pgflow._lock_runs(array[restart_run.run_id], 'exclusive');
  v_run := pgflow._require_run(restart_run.run_id);
  perform pgflow._require_step(v_run, restart_run.from_step);
  v_repeated := array(
    select unnest(pgflow._step_and_dependents(v_run.flow_slug, restart_run.from_step))
    except
    select unnest(pgflow._held_back(
      v_run.run_id, v_run.flow_slug,
      pgflow._steps_beside(v_run.flow_slug, restart_run.from_step)
    ))
  );
  v_reopened := array(
    select state.step_slug
    from pgflow.step_states as state
    where state.run_id = v_run.run_id
      and (state.status in ('failed', 'cancelled') or state.step_slug = any (v_repeated))
  );
  if exists (
    select from pgflow.step_states as state
    where state.run_id = v_run.run_id and state.step_slug = any (v_reopened)
      and state.status <> 'created'
  ) then
    perform pgflow._reopen_steps(v_run.run_id, v_reopened, v_repeated);
  end if;
  return next pgflow._require_run(restart_run.run_id);
end
$$;

comment on function pgflow.restart_run is
'Repeat a step of a run and all that depends on it; other steps keep their outputs.';
