-- List the steps of a run that were skipped because a step before them failed.
--
-- Parameters:
--   run_id, flow_slug: the run and its flow.
-- Returns: the steps with skip_reason dependency_skipped that depend on a step skipped after a
--   failure, and on none that its condition skipped together with its dependents; never NULL.
-- Locks: none; the caller holds the run.
-- Idempotent: yes.
create or replace function pgflow._skipped_by_failure(run_id uuid, flow_slug text)
returns text []
language plpgsql
stable
set search_path to pg_catalog, pg_temp
as $$
begin
  return array(
    with cause as (
      select state.skip_reason, dependent.step_slug
      from pgflow.step_states as state
      join pgflow.steps as step
        on step.flow_slug = state.flow_slug and step.step_slug = state.step_slug
      cross join lateral unnest(
        pgflow._step_and_dependents(_skipped_by_failure.flow_slug, state.step_slug)
      ) as dependent (step_slug)
      where state.run_id = _skipped_by_failure.run_id
        and (
          (state.skip_reason = 'handler_failed' and step.when_exhausted = 'skip-cascade')
          or (state.skip_reason = 'condition_unmet' and step.when_unmet = 'skip-cascade')
        )
    )
    select state.step_slug
    from pgflow.step_states as state
    where state.run_id = _skipped_by_failure.run_id
      and state.skip_reason = 'dependency_skipped'
      and not exists (
        select from cause
        where cause.step_slug = state.step_slug and cause.skip_reason = 'condition_unmet'
      )
  );
end
$$;

comment on function pgflow._skipped_by_failure is
'List the steps of a run that were skipped because a step before them failed.';
