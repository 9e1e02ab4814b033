-- Start a run of a flow.
--
-- Parameters:
--   flow_slug: the flow.
--   input: the flow input; an array where the flow has a map over it.
--   run_id: id of the run; NULL makes one.
--   priority: runs with a higher priority have their tasks claimed first.
-- Returns: the row of the run.
-- Errors: PF001 no such flow. PF006 the input is NULL, or no array where a map needs one.
--   PF009 a run with that id exists.
-- Locks: the row of the flow (for key share).
-- Writes: runs, step_states, step_tasks.
-- Idempotent: with run_id given, a second call raises PF009 and changes nothing.
create or replace function pgflow.start_flow(
  flow_slug text, input jsonb, run_id uuid default null, priority smallint default 0
)
returns setof pgflow.runs
language plpgsql
security definer
set search_path to ''
as $$
declare
  v_run_id uuid;
begin
  select started.run_id into v_run_id
  from pgflow.start_flows(
    start_flow.flow_slug,
    array[start_flow.input],
    case when start_flow.run_id is not null then array[start_flow.run_id] end,
    start_flow.priority
  ) as started (run_id);
  return query
  select run.*
  from pgflow.runs as run
  where run.run_id = v_run_id;
end
$$;

comment on function pgflow.start_flow is 'Start a run of a flow.';
