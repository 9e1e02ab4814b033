-- Send one input to a job: start a run of a flow, in the words of a queue.
--
-- Parameters:
--   job_slug: the job, or any flow.
--   input: what it is to work on.
--   delay, idempotency_key, key_lifetime, priority, tags: as in start_flow.
-- Returns: the id of the run; with the idempotency_key of an earlier one, of that.
-- Errors: as start_flow.
-- Locks: as start_flow.
-- Writes: as start_flow.
-- Idempotent: with idempotency_key.
create or replace function pgflow.send(
  job_slug text, input jsonb default 'null', delay interval default null,
  idempotency_key text default null, key_lifetime interval default null, priority int default 0,
  tags jsonb default null
)
returns uuid
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  return (
    select run.run_id
    from pgflow.start_flow(
      send.job_slug, send.input, null, send.priority, send.idempotency_key, send.key_lifetime,
      send.tags, send.delay
    ) as run
  );
end
$$;

comment on function pgflow.send is
'Send one input to a job: start a run of a flow, in the words of a queue.';
