-- Read a run with the states of its steps.
--
-- Parameters:
--   run_id: the run.
-- Returns: {"run": row of runs, "steps": [rows of step_states, in step order]}; NULL where there is
--   no such run.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_run_with_states(run_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path to pg_catalog, pg_temp
set plan_cache_mode to force_generic_plan
set join_collapse_limit to 1
set enable_seqscan to off
set enable_bitmapscan to off
set enable_hashjoin to off
set enable_mergejoin to off
set jit to off
as $$
begin
  return (
    select jsonb_build_object('run', to_jsonb(run), 'steps', coalesce(
      (
        select jsonb_agg(to_jsonb(state) order by step.step_index)
        from pgflow.step_states as state
        join pgflow.steps as step
          on step.flow_slug = state.flow_slug and step.step_slug = state.step_slug
        where state.run_id = run.run_id
      ),
      '[]'
    ))
    from pgflow.runs as run
    where run.run_id = get_run_with_states.run_id
  );
end
$$;

comment on function pgflow.get_run_with_states is 'Read a run with the states of its steps.';
