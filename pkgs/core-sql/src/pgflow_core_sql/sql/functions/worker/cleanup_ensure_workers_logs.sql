-- Delete what pg_cron has noted of old runs of pgflow's jobs; those of others stay.
--
-- Parameters:
--   retention_hours: how many hours are kept.
-- Returns: how many notes were deleted.
-- Errors: PF014 pg_cron is not there.
-- Locks: the rows.
-- Writes: cron.job_run_details.
-- Idempotent: yes.
create or replace function pgflow.cleanup_ensure_workers_logs(retention_hours int default 24)
returns table (cron_deleted bigint)
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  perform pgflow._require_extension('pg_cron', 'cron', 'schedule');
  execute format(
    'delete from %1$I.job_run_details as noted using %1$I.job as job'
    ' where job.jobid = noted.jobid and starts_with(job.jobname, $1) and noted.end_time < $2',
    'cron'
  )
  using 'pgflow_', now() - make_interval(hours => cleanup_ensure_workers_logs.retention_hours);
  get diagnostics cron_deleted = row_count;
  return next;
end
$$;

comment on function pgflow.cleanup_ensure_workers_logs is
'Delete what pg_cron has noted of old runs of pgflow''s jobs; those of others stay.';
