-- pg_cron in miniature: what is to be done at some time is done once, at once.
create schema cron;
create function cron.schedule(job_name text, schedule text, command text)
returns bigint language plpgsql as
'begin execute command; return 1; end';
