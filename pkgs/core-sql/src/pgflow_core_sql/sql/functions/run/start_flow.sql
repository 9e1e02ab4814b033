-- Start a run of a flow.
--
-- Parameters:
--   flow_slug: the flow by its name, or a version of it, as in start_flows.
--   input: the flow input; an array where the flow has a map over it.
--   run_id: id of the run; NULL makes one. Never that of a run that was deleted: a worker that
--     still holds a task of that one could report it to this.
--   priority, tags, delay, trace_context: as in start_flows.
--   idempotency_key: a text of the caller's, 1 to 500 characters; where a run of the flow was
--     started with it before, that run is returned and nothing is started. NULL is none.
--   key_lifetime: how long the key stands for this run; NULL is as long as the run is kept.
-- Returns: the row of the run.
-- Errors: PF001 no such flow. PF006 the input is NULL, or no array where a map needs one.
--   PF009 a run with that id exists. PF012 the key is too long or empty. PF013 tags or
--   trace_context are no object, the delay is longer than a hundred years, or the key's lifetime no
--   span up to that. PF016 the flow is retired, and a key stands for no
--   run yet.
-- Locks: the row of the flow (for key share); then the key.
-- Writes: runs, step_states, step_tasks, run_keys.
-- Idempotent: with idempotency_key. With run_id alone, a second call raises PF009 and changes
--   nothing.
create or replace function pgflow.start_flow(
  flow_slug text, input jsonb, run_id uuid default null, priority int default 0,
  idempotency_key text default null, key_lifetime interval default null,
  tags jsonb default null, delay interval default null, trace_context jsonb default null
)
returns setof pgflow.runs
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set plan_cache_mode to force_generic_plan
set join_collapse_limit to 1
set enable_seqscan to off
set enable_hashjoin to off
set enable_mergejoin to off
set jit to off
as $$
declare
  v_run_id uuid;
begin
  v_run_id := (pgflow._check_and_start(
    start_flow.flow_slug, array[start_flow.input],
    case when start_flow.run_id is not null then array[start_flow.run_id] end,
    start_flow.priority,
    start_flow.tags, start_flow.delay, start_flow.trace_context,
    case when start_flow.idempotency_key is not null then array[start_flow.idempotency_key] end,
    start_flow.key_lifetime
  ))[1];
  return query
  select run.*
  from pgflow.runs as run
  where run.run_id = v_run_id;
end
$$;

comment on function pgflow.start_flow is 'Start a run of a flow.';
