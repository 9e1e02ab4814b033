-- Start a run of a flow and read it with the states of its steps.
--
-- Parameters: as start_flow.
-- Returns: as get_run_with_states.
-- Errors: as start_flow.
-- Locks: as start_flow.
-- Writes: runs, step_states, step_tasks, run_keys.
-- Idempotent: as start_flow.
create or replace function pgflow.start_flow_with_states(
  flow_slug text, input jsonb, run_id uuid default null, priority int default 0,
  idempotency_key text default null, key_lifetime interval default null,
  tags jsonb default null, delay interval default null, trace_context jsonb default null
)
returns jsonb
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_run_id uuid;
begin
  select run.run_id into v_run_id
  from pgflow.start_flow(
    start_flow_with_states.flow_slug, start_flow_with_states.input,
    start_flow_with_states.run_id, start_flow_with_states.priority,
    start_flow_with_states.idempotency_key, start_flow_with_states.key_lifetime,
    start_flow_with_states.tags, start_flow_with_states.delay, start_flow_with_states.trace_context
  ) as run;
  return pgflow.get_run_with_states(v_run_id);
end
$$;

comment on function pgflow.start_flow_with_states is
'Start a run of a flow and read it with the states of its steps.';
