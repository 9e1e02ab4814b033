-- Have a command run again and again, through the extension pg_cron.
--
-- Parameters:
--   job_name: name of the job; a job of that name is replaced.
--   schedule: as pg_cron takes it: "15 seconds" or five fields. Before pg_cron 1.5, which knows no
--     seconds, it becomes every minute.
--   command: what to run.
-- Returns: a sentence about what is scheduled.
-- Errors: PF014 pg_cron is not there.
-- Locks: none.
-- Writes: what pg_cron writes.
-- Idempotent: yes.
create or replace function pgflow._schedule_cron(job_name text, schedule text, command text)
returns text
language plpgsql
as $$
declare
  v_schedule text := _schedule_cron.schedule;
begin
  perform pgflow._require_extension('pg_cron', 'cron', 'schedule');
  begin
    execute format('select %I.%I($1, $2, $3)', 'cron', 'schedule')
    using _schedule_cron.job_name, v_schedule, _schedule_cron.command;
  exception
    when invalid_parameter_value then
      if v_schedule !~ '^\s*\d+\s+seconds?\s*$' then
        raise;
      end if;
      v_schedule := '* * * * *';
      execute format('select %I.%I($1, $2, $3)', 'cron', 'schedule')
      using _schedule_cron.job_name, v_schedule, _schedule_cron.command;
  end;
  return format('%s runs on the schedule "%s"', _schedule_cron.job_name, v_schedule);
end
$$;

comment on function pgflow._schedule_cron is
'Have a command run again and again, through the extension pg_cron.';
