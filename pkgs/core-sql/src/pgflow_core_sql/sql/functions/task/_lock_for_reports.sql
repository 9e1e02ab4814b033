-- Lock the runs of a batch of outputs and failures in one sorted pass, as strongly as any needs.
--
-- Parameters:
--   completed_run_ids, completed_step_slugs, outputs: as in _completion_lock.
--   failures: the reports of failures.
-- Returns: the strength; see _lock_runs. Taking the stronger lock later, after the weaker, could
--   deadlock with another worker that does the same.
-- Locks: the runs, sorted.
-- Idempotent: yes.
create or replace function pgflow._lock_for_reports(
  completed_run_ids uuid [], completed_step_slugs text [], outputs jsonb [],
  failures pgflow.failure_report []
)
returns text
language plpgsql
as $$
declare
  v_strength text := pgflow._completion_lock(
    _lock_for_reports.completed_run_ids, _lock_for_reports.completed_step_slugs,
    _lock_for_reports.outputs
  );
begin
  if cardinality(_lock_for_reports.failures) > 0 and v_strength <> 'exclusive' then
    v_strength := pgflow._failure_lock(_lock_for_reports.failures);
  end if;
  perform pgflow._lock_runs(
    _lock_for_reports.completed_run_ids || array(
      select failure.run_id from unnest(_lock_for_reports.failures) as failure
    ),
    v_strength
  );
  return v_strength;
end
$$;

comment on function pgflow._lock_for_reports is
'Lock the runs of a batch of outputs and failures in one sorted pass, as strongly as any needs.';
