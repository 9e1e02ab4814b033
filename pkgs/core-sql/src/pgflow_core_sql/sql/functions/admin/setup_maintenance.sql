-- Have runs deleted by the policies of set_retention, again and again.
--
-- For whoever owns the schema. Where pg_cron is there, a job of it does that; else the workers do,
-- of which one at a time sweeps. Where tables are partitioned, partitions are made and dropped too.
-- To undo it: delete from pgflow.maintenance, and of pg_cron also select cron.unschedule of
-- 'pgflow_maintenance' and 'pgflow_partitions'.
--
-- Parameters:
--   cron_interval: how often, as pg_cron takes it.
--   done_by: 'pg_cron' or 'workers'; NULL is pg_cron where it is there.
-- Returns: a sentence about who does it.
-- Errors: PF014 pg_cron is asked for and not there; PF015 done_by is neither.
-- Locks: the row of maintenance.
-- Writes: maintenance, the jobs pgflow_maintenance and pgflow_partitions of pg_cron.
-- Idempotent: yes.
create or replace function pgflow.setup_maintenance(
  cron_interval text default '10 seconds', done_by text default null
)
returns text
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  v_has_cron boolean := pgflow._has_function('cron', 'schedule');
  v_done_by text := coalesce(
    setup_maintenance.done_by, case when v_has_cron then 'pg_cron' else 'workers' end
  );
  v_told text := 'the workers prune by the policies, one of them at a time';
begin
  if v_done_by not in ('pg_cron', 'workers') then
    perform pgflow._refuse_argument(
      'done_by is ''pg_cron'' or ''workers''', format('done_by=%s', left(v_done_by, 200))
    );
  elsif v_done_by = 'pg_cron' then
    v_told := pgflow._schedule_cron(
      'pgflow_maintenance', setup_maintenance.cron_interval, 'select pgflow.prune_by_policy()'
    );
    if pgflow._is_partitioned() then
      perform pgflow._schedule_cron(
        'pgflow_partitions', '* * * * *',
        'select coalesce(pgflow.create_partitions(), pgflow.drop_partitions())'
      );
    end if;
  elsif v_has_cron then
    execute format(
      'select %1$I.unschedule(job.jobid) from %1$I.job as job where job.jobname = any ($1)', 'cron'
    )
    using array['pgflow_maintenance', 'pgflow_partitions'];
  end if;
  insert into pgflow.maintenance as maintenance (done_by)
  values (v_done_by)
  on conflict on constraint maintenance_pkey do update
  set done_by = excluded.done_by, due_at = now();
  return v_told;
end
$$;

comment on function pgflow.setup_maintenance is
'Have runs deleted by the policies of set_retention, again and again.';
