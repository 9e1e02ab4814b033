-- Have pg_cron call requeue_stalled_tasks again and again.
--
-- Running workers do this by themselves. It is for databases whose workers may all be gone while
-- people look at what runs. To undo it: select cron.unschedule('pgflow_requeue_stalled_tasks').
--
-- Parameters:
--   cron_interval: how often, as pg_cron takes it.
-- Returns: a sentence about what is scheduled.
-- Errors: PF014 pg_cron is not there.
-- Locks: none.
-- Writes: the job pgflow_requeue_stalled_tasks of pg_cron.
-- Idempotent: yes.
create or replace function pgflow.setup_requeue_stalled_tasks_cron(
  cron_interval text default '15 seconds'
)
returns text
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  return pgflow._schedule_cron(
    'pgflow_requeue_stalled_tasks', setup_requeue_stalled_tasks_cron.cron_interval,
    'select pgflow.requeue_stalled_tasks()'
  );
end
$$;

comment on function pgflow.setup_requeue_stalled_tasks_cron is
'Have pg_cron call requeue_stalled_tasks again and again.';
