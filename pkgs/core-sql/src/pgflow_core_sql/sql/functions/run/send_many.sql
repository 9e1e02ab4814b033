-- Send many inputs to a job, each of which it works on by itself.
--
-- Parameters:
--   job_slug: the job, or any flow.
--   inputs: what it is to work on.
--   delay, idempotency_keys, key_lifetime, priority, tags: as in start_flows.
-- Returns: the ids of the runs, in order.
-- Errors: as start_flows.
-- Locks: as start_flows.
-- Writes: as start_flows.
-- Idempotent: with idempotency_keys.
create or replace function pgflow.send_many(
  job_slug text, inputs jsonb [], delay interval default null,
  idempotency_keys text [] default null, key_lifetime interval default null,
  priority int default 0, tags jsonb default null
)
returns setof uuid
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  return query
  select started.run_id
  from pgflow.start_flows(
    send_many.job_slug, send_many.inputs, null, send_many.priority, send_many.tags,
    send_many.delay, null, send_many.idempotency_keys, send_many.key_lifetime
  ) as started (run_id);
end
$$;

comment on function pgflow.send_many is
'Send many inputs to a job, each of which it works on by itself.';
