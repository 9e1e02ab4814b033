-- Repeat a step of a run and all that depends on it; other steps keep their outputs.
--
-- What was skipped together with a step elsewhere in the run stays so. Steps that failed or were
-- cancelled elsewhere start afresh too, so that the run can end. Work that is under way on a
-- repeated step is cancelled. What was tried before stays in task_attempts. A step that has not
-- begun has nothing to repeat, and the run stays as it is.
--
-- Onto another version of its flow the run goes with the steps that have ended and are not
-- repeated, which have to be the same there. All others are that version's and start afresh.
--
-- Parameters:
--   run_id: the run, in whatever status.
--   from_step: the step, of the version that the run goes on with.
--   version: number of the version of its flow that it goes on with; NULL is the one it has.
-- Returns: the row of the run as it is now.
-- Errors: PF001 no such version. PF002 no such run. PF003 no such step. PF016 the version is
--   retired. PF018 a step that has ended is not the same in the version.
-- Locks: the row of the version (for key share); the run for update; then its step_states and
--   step_tasks.
-- Writes: runs, run_reopenings, step_states, step_tasks.
-- Idempotent: no, each call repeats the step.
create or replace function pgflow.restart_run(
  run_id uuid, from_step text, version int default null
)
returns setof pgflow.runs
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
as $$
declare
  v_run pgflow.runs := pgflow._require_run(restart_run.run_id);
  v_goes_on pgflow.runs;
  v_slug text := v_run.flow_slug;
  v_repeated text[];
  v_reopened text[];
begin
  if restart_run.version is not null then
    v_slug := pgflow._require_version(split_part(v_slug, '@', 1), restart_run.version);
  end if;
  perform pgflow._hold_version(v_slug);
  perform pgflow._lock_runs(array[restart_run.run_id], 'exclusive');
  v_run := pgflow._require_run(restart_run.run_id);
  if restart_run.version is null then
    v_slug := v_run.flow_slug;
    perform pgflow._require_unretired(v_slug);
  end if;
  v_goes_on := v_run;
  v_goes_on.flow_slug := v_slug;
  perform pgflow._require_step(v_goes_on, restart_run.from_step);
  v_repeated := array(
    select unnest(pgflow._step_and_dependents(v_slug, restart_run.from_step))
    except
    select unnest(pgflow._held_back(
      v_run.run_id, v_slug, pgflow._steps_beside(v_slug, restart_run.from_step)
    ))
  );
  if v_slug <> v_run.flow_slug then
    -- What depended on the step before does not count any more, whether the version has it or not.
    v_repeated := v_repeated || pgflow._step_and_dependents(
      v_run.flow_slug, restart_run.from_step
    ) || pgflow._steps_under_way(v_run.run_id);
    perform pgflow._require_fit(v_run, v_slug, v_repeated);
  end if;
  v_reopened := array(
    select state.step_slug
    from pgflow.step_states as state
    where state.run_id = v_run.run_id
      and (state.status in ('failed', 'cancelled') or state.step_slug = any (v_repeated))
  );
  if v_slug <> v_run.flow_slug or exists (
    select from pgflow.step_states as state
    where state.run_id = v_run.run_id and state.step_slug = any (v_reopened)
      and state.status <> 'created'
  ) then
    perform pgflow._reopen_steps(v_run.run_id, v_reopened, v_repeated, v_slug);
  end if;
  return next pgflow._require_run(restart_run.run_id);
end
$$;

comment on function pgflow.restart_run is
'Repeat a step of a run and all that depends on it; other steps keep their outputs.';
