-- List the steps of a run that stay skipped as long as some others are.
--
-- Parameters:
--   run_id, flow_slug: the run, and the version of its flow that it goes on as.
--   causes: the others; only those that were skipped together with their dependents count.
-- Returns: the steps with skip_reason dependency_skipped that depend on such a cause; never NULL.
-- Locks: none; the caller holds the run.
-- Idempotent: yes.
create or replace function pgflow._held_back(run_id uuid, flow_slug text, causes text [])
returns text []
language plpgsql
stable
as $$
begin
  return array(
    with recursive below as (
      select dep.step_slug
      from pgflow.step_states as cause
      join pgflow.steps as step
        on step.flow_slug = _held_back.flow_slug and step.step_slug = cause.step_slug
      join pgflow.deps as dep
        on dep.flow_slug = _held_back.flow_slug and dep.dep_slug = cause.step_slug
      where cause.run_id = _held_back.run_id and cause.step_slug = any (_held_back.causes)
        and 'skip-cascade' = case cause.skip_reason
          when 'handler_failed' then step.when_exhausted
          when 'condition_unmet' then step.when_unmet
        end
      union
      select dep.step_slug
      from below
      join pgflow.deps as dep
        on dep.flow_slug = _held_back.flow_slug and dep.dep_slug = below.step_slug
    )
    select state.step_slug
    from below
    join pgflow.step_states as state
      on state.run_id = _held_back.run_id and state.step_slug = below.step_slug
    where state.skip_reason = 'dependency_skipped'
  );
end
$$;

comment on function pgflow._held_back is
'List the steps of a run that stay skipped as long as some others are.';
