-- Have pg_cron call ensure_workers again and again, and clear the log of that once an hour.
--
-- Nothing installs this by itself. To undo it: select cron.unschedule('pgflow_ensure_workers').
--
-- Parameters:
--   cron_interval: how often, as pg_cron takes it.
-- Returns: a sentence about what is scheduled.
-- Errors: PF014 pg_cron or pg_net is not there.
-- Locks: none.
-- Writes: the jobs pgflow_ensure_workers and pgflow_cleanup_logs of pg_cron.
-- Idempotent: yes.
create or replace function pgflow.setup_ensure_workers_cron(
  cron_interval text default '1 second'
)
returns text
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  perform pgflow._require_extension('pg_net', 'net', 'http_post');
  return pgflow._schedule_cron(
    'pgflow_ensure_workers', setup_ensure_workers_cron.cron_interval,
    'select from pgflow.ensure_workers()'
  ) || ', ' || pgflow._schedule_cron(
    'pgflow_cleanup_logs', '0 * * * *', 'select from pgflow.cleanup_ensure_workers_logs()'
  );
end
$$;

comment on function pgflow.setup_ensure_workers_cron is
'Have pg_cron call ensure_workers again and again, and clear the log of that once an hour.';
