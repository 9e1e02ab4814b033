-- What a database of Supabase has already.
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create schema cron;
create table cron.job (jobid bigserial primary key, jobname text, schedule text, command text);
create table cron.job_run_details (jobid bigint, end_time timestamptz);
create function cron.schedule(job_name text, schedule text, command text)
returns bigint language sql as
'insert into cron.job (jobname, schedule, command) values ($1, $2, $3) returning jobid';
create schema net;
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}'
) returns bigint language sql as 'select 1::bigint';
create schema realtime;
create table realtime.messages (
  topic text, extension text, private boolean, payload jsonb, event text
);
alter table realtime.messages enable row level security;
create function realtime.topic() returns text language sql as
'select current_setting(''realtime.topic'', true)';
create function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void language sql as
'insert into realtime.messages values (topic, ''broadcast'', private, payload, event)';
create schema auth;
create function auth.uid() returns uuid language sql as
'select current_setting(''request.jwt.claim.sub'', true)::uuid';
grant usage on schema auth, realtime to authenticated;
grant select on realtime.messages to authenticated;
