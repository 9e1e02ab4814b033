-- Go on with a run that failed or was cancelled.
--
-- Completed steps keep their outputs, and so do completed elements of a map. Steps that failed,
-- were skipped after a failure or were cancelled start afresh with all their attempts; what a
-- condition skipped stays so. What was tried before stays in task_attempts.
--
-- Parameters:
--   run_id: the run.
-- Returns: the row of the run as it is now; a run that is under way stays as it is.
-- Errors: PF002 no such run. PF010 the run is completed. PF016 its flow's version is retired.
-- Locks: the row of the version (for key share); the run for update; then its step_states and
--   step_tasks.
-- Writes: runs, run_reopenings, step_states, step_tasks.
-- Idempotent: yes, while the run is under way.
create or replace function pgflow.retry_run(run_id uuid)
returns setof pgflow.runs
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
as $$
declare
  v_run pgflow.runs;
  v_unmet text[];
begin
  v_run := pgflow._require_run(retry_run.run_id);
  perform pgflow._hold_version(v_run.flow_slug);
  perform pgflow._lock_runs(array[retry_run.run_id], 'exclusive');
  v_run := pgflow._require_run(retry_run.run_id);
  perform pgflow._require_unretired(v_run.flow_slug);
  if v_run.status = 'completed' then
    raise exception using
      errcode = 'PF010',
      message = format('run %s of flow %s is completed, there is nothing to retry', v_run.run_id,
        v_run.flow_slug),
      detail = format('run_id=%s flow_slug=%s', v_run.run_id, v_run.flow_slug),
      hint = 'restart_run repeats a step and all that depends on it';
  end if;
  if v_run.status <> 'started' then
    v_unmet := array(
      select state.step_slug
      from pgflow.step_states as state
      where state.run_id = v_run.run_id and state.skip_reason = 'condition_unmet'
    );
    perform pgflow._reopen_steps(v_run.run_id, array(
      select state.step_slug
      from pgflow.step_states as state
      where state.run_id = v_run.run_id
        and (
          state.status in ('failed', 'cancelled')
          or state.skip_reason in ('handler_failed', 'dependency_skipped')
        )
      except
      select unnest(pgflow._held_back(v_run.run_id, v_run.flow_slug, v_unmet))
    ), '{}');
  end if;
  return next pgflow._require_run(retry_run.run_id);
end
$$;

comment on function pgflow.retry_run is 'Go on with a run that failed or was cancelled.';
