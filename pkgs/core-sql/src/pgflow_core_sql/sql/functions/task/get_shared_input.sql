-- Read what every element of a map receives beside itself.
--
-- Parameters:
--   run_id, step_slug: the map step of the run.
-- Returns: {dependency: output} over the completed dependencies other than the one it maps over,
--   plus "run": flow input where the step asks for it.
-- Errors: PF002 no such run. PF003 no such step.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_shared_input(run_id uuid, step_slug text)
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
declare
  v_run pgflow.runs;
  v_step pgflow.steps;
begin
  v_run := pgflow._require_run(get_shared_input.run_id);
  select step.* into v_step
  from pgflow.steps as step
  where step.flow_slug = v_run.flow_slug and step.step_slug = get_shared_input.step_slug;
  if not found then
    raise exception using
      errcode = 'PF003',
      message = format('flow %s has no step %s', v_run.flow_slug,
        pgflow._told(get_shared_input.step_slug)),
      detail = format('run_id=%s step_slug=%s', get_shared_input.run_id,
        left(get_shared_input.step_slug, 200));
  end if;
  return case
      when v_step.takes_flow_input then jsonb_build_object('run', v_run.input) else '{}'
    end
    || pgflow._deps_outputs(v_run.run_id, v_run.flow_slug, v_step.step_slug, v_step.map_over);
end
$$;

comment on function pgflow.get_shared_input is
'Read what every element of a map receives beside itself.';
