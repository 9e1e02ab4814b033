-- Read the traces that runs were started in.
--
-- Parameters:
--   run_ids: the runs.
-- Returns: a row for each run that was given a trace context.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_trace_contexts(run_ids uuid [])
returns table (run_id uuid, trace_context jsonb)
language plpgsql
stable
security definer
set search_path to pg_catalog, pg_temp
set plan_cache_mode to force_generic_plan
set enable_seqscan to off
set enable_hashjoin to off
set enable_mergejoin to off
as $$
begin
  return query
  select run.run_id, run.trace_context
  from unnest(get_trace_contexts.run_ids) as wanted (run_id)
  join pgflow.runs as run on run.run_id = wanted.run_id
  where run.trace_context is not null;
end
$$;

comment on function pgflow.get_trace_contexts is 'Read the traces that runs were started in.';
