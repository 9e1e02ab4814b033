-- Build the output of a run from the steps that nothing depends on.
--
-- Parameters:
--   run_id, flow_slug: the run and its flow.
-- Returns: {leaf step: output} over the leaf steps that are completed; {} where none is.
-- Locks: none; the caller holds the run.
-- Idempotent: yes.
create or replace function pgflow._leaf_outputs(run_id uuid, flow_slug text)
returns jsonb
language plpgsql
stable
as $$
begin
  -- PL/pgSQL keeps the plan; a body in SQL would be planned at each call.
  return (
    select coalesce(jsonb_object_agg(state.step_slug, state.output), '{}'::jsonb)
    from pgflow.steps as step
    cross join lateral (
      select each.step_slug, each.output
      from pgflow.step_states as each
      where each.run_id = _leaf_outputs.run_id and each.step_slug = step.step_slug
        and each.status = 'completed'
      offset 0
    ) as state
    where step.flow_slug = _leaf_outputs.flow_slug and step.is_leaf
  );
end
$$;

comment on function pgflow._leaf_outputs is
'Build the output of a run from the steps that nothing depends on.';
