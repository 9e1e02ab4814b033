-- What the page calls of pg_net and pg_cron.
create schema net;
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}'
) returns bigint language sql as 'select 1::bigint';
create schema cron;
create table cron.job (jobid bigserial primary key, jobname text, schedule text, command text);
create table cron.job_run_details (jobid bigint, end_time timestamptz);
create function cron.schedule(job_name text, schedule text, command text)
returns bigint language sql as
'insert into cron.job (jobname, schedule, command) values ($1, $2, $3) returning jobid';
create function cron.unschedule(job_name text) returns boolean language sql as
'delete from cron.job where jobname = $1 returning true';
select pgflow.create_flow('shop');
select pgflow.add_step('shop', 'pack');
