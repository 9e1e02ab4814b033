-- Cancel a run: what is queued or waiting ends at once, and late reports are refused.
--
-- Parameters:
--   run_id: the run.
--   reason: kept as error_message of the run; NULL for none.
-- Returns: the row of the run as it is now; a run that had ended stays as it was.
-- Errors: PF002 no such run.
-- Locks: as cancel_runs.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: yes.
create or replace function pgflow.cancel_run(run_id uuid, reason text default null)
returns setof pgflow.runs
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_run pgflow.runs;
begin
  perform from pgflow.cancel_runs(array[cancel_run.run_id], cancel_run.reason);
  v_run := pgflow._require_run(cancel_run.run_id);
  return next v_run;
end
$$;

comment on function pgflow.cancel_run is
'Cancel a run: what is queued or waiting ends at once, and late reports are refused.';
