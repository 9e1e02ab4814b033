-- Start many runs of one flow in one call.
--
-- Parameters:
--   flow_slug: the flow by its name, whose current version is started; or a version, such as
--     name@1 or name@2.
--   inputs: one flow input a run; an array where the flow has a map over the flow input.
--   run_ids: ids of the runs in the same order, see start_flow; NULL makes new ones, ordered as
--     the inputs are.
--   priority: runs with a higher priority have their tasks claimed first; what is beyond the range
--     of smallint is brought into it.
--   tags: {name: JSON value} to find the runs by; NULL is none.
--   delay: how long no task of the runs may be claimed; NULL, or less than nothing, is no delay.
--   trace_context: headers that carry the starter's trace on; NULL is none.
--   idempotency_keys: one text of 1 to 500 characters for each run, NULL for a run without. Where a
--     run of the flow was started with it before, that run's id is returned and nothing is started
--     in its place. NULL is none at all.
--   key_lifetime: how long the keys stand for these runs; NULL is as long as the runs are kept.
-- Returns: the ids of the runs, in order.
-- Errors: PF001 no such flow. PF006 an input is NULL, or no array where a map needs one.
--   PF008 inputs and run_ids or idempotency_keys differ in length. PF009 a run with that id exists.
--   PF012 a key is too long or empty. PF013 tags or trace_context are no object, the delay is
--   longer than a hundred years, the keys' lifetime no span up to that, or a run id is NULL.
--   PF016 the flow is retired, and a key stands for no
--   run yet.
-- Locks: the row of the flow (for key share); then the keys, sorted.
-- Writes: runs, step_states, step_tasks, run_keys.
-- Idempotent: with idempotency_keys. With run_ids alone, a second call raises PF009 and changes
--   nothing.
create or replace function pgflow.start_flows(
  flow_slug text, inputs jsonb [], run_ids uuid [] default null, priority int default 0,
  tags jsonb default null, delay interval default null, trace_context jsonb default null,
  idempotency_keys text [] default null, key_lifetime interval default null
)
returns setof uuid
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
begin
  return query
  select new.run_id
  from unnest(pgflow._check_and_start(
    start_flows.flow_slug, start_flows.inputs, start_flows.run_ids, start_flows.priority,
    start_flows.tags, start_flows.delay, start_flows.trace_context, start_flows.idempotency_keys,
    start_flows.key_lifetime
  )) as new (run_id);
end
$$;

comment on function pgflow.start_flows is 'Start many runs of one flow in one call.';
