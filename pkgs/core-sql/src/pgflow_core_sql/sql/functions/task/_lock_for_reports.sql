-- Lock the runs of a batch of outputs and failures in one sorted pass, as strongly as any needs.
--
-- Parameters:
--   completed_run_ids, completed_step_slugs, outputs: as in _completion_lock.
--   failed_run_ids, failed_step_slugs, failed_task_indexes, failed_attempts, are_final: as in
--     _failure_lock.
-- Returns: the strength; see _lock_runs. Taking the stronger lock later, after the weaker, could
--   deadlock with another worker that does the same.
-- Locks: the runs, sorted.
-- Idempotent: yes.
create or replace function pgflow._lock_for_reports(
  completed_run_ids uuid [], completed_step_slugs text [], outputs jsonb [],
  failed_run_ids uuid [], failed_step_slugs text [], failed_task_indexes int [],
  failed_attempts int [], are_final boolean []
)
returns text
language plpgsql
set search_path to ''
as $$
declare
  v_strength text := pgflow._completion_lock(
    _lock_for_reports.completed_run_ids, _lock_for_reports.completed_step_slugs,
    _lock_for_reports.outputs
  );
begin
  if cardinality(_lock_for_reports.failed_run_ids) > 0 and v_strength <> 'exclusive' then
    v_strength := pgflow._failure_lock(
      _lock_for_reports.failed_run_ids, _lock_for_reports.failed_step_slugs,
      _lock_for_reports.failed_task_indexes, _lock_for_reports.failed_attempts,
      _lock_for_reports.are_final
    );
  end if;
  perform pgflow._lock_runs(
    _lock_for_reports.completed_run_ids || _lock_for_reports.failed_run_ids, v_strength
  );
  return v_strength;
end
$$;

comment on function pgflow._lock_for_reports is
'Lock the runs of a batch of outputs and failures in one sorted pass, as strongly as any needs.';
