-- Start many runs of one flow in one call.
--
-- Parameters:
--   flow_slug: the flow.
--   inputs: one flow input a run; an array where the flow has a map over the flow input.
--   run_ids: ids of the runs in the same order; NULL makes new ones.
--   priority: runs with a higher priority have their tasks claimed first; what is beyond the range
--     of smallint is brought into it.
-- Returns: the ids of the runs, in order.
-- Errors: PF001 no such flow. PF006 an input is NULL, or no array where a map needs one.
--   PF008 inputs and run_ids differ in length. PF009 a run with that id exists.
-- Locks: the row of the flow (for key share).
-- Writes: runs, step_states, step_tasks.
-- Idempotent: with run_ids given, a second call raises PF009 and changes nothing.
create or replace function pgflow.start_flows(
  flow_slug text, inputs jsonb [], run_ids uuid [] default null, priority int default 0
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
declare
  v_run_ids uuid[] := start_flows.run_ids;
  v_steps int;
  v_ready record;
begin
  perform pgflow._check_inputs(start_flows.flow_slug, start_flows.inputs, start_flows.run_ids);
  if v_run_ids is null then
    select array_agg(pgflow._new_run_id()) into v_run_ids
    from generate_series(1, cardinality(start_flows.inputs));
  end if;
  v_steps := pgflow._insert_runs(
    start_flows.flow_slug, start_flows.inputs, v_run_ids,
    least(greatest(coalesce(start_flows.priority, 0), -32768), 32767)::smallint
  );
  select ready.* into v_ready
  from pgflow._insert_step_states(
    start_flows.flow_slug, start_flows.inputs, v_run_ids, v_steps
  ) as ready;
  perform pgflow._spawn_tasks(v_ready.started_run_ids, v_ready.started_step_slugs);
  if v_ready.unsettled_run_ids is not null then
    perform pgflow._count_off(
      pgflow._settle_steps(v_ready.unsettled_run_ids, v_ready.unsettled_step_slugs)
    );
  end if;
  perform pgflow._send_events();
  perform pgflow._wake_workers(array[start_flows.flow_slug]);
  return query select new.run_id from unnest(v_run_ids) as new (run_id);
end
$$;

comment on function pgflow.start_flows is 'Start many runs of one flow in one call.';
