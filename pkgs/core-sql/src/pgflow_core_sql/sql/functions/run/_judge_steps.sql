-- Find what is to become of steps that are ready, without doing it.
--
-- Parameters:
--   run_ids, step_slugs: steps in 'created' without dependencies left, as parallel arrays.
-- Returns: a verdict each: 'start', 'complete' (a map without elements), or what when_unmet says of
--   a condition that does not hold. A condition is asked of the flow input for a root step, and of
--   {dependency: output} over the completed dependencies plus "run": flow input for others; see
--   _matches.
-- Locks: none; the caller holds the runs.
-- Idempotent: yes.
create or replace function pgflow._judge_steps(run_ids uuid [], step_slugs text [])
returns pgflow.step_verdict []
language plpgsql
stable
as $$
begin
  return (
    select array_agg(
      (
        ready.run_id, ready.step_slug, run.flow_slug, step.step_index,
        case
          when num_nonnulls(step.required_input_pattern, step.forbidden_input_pattern) > 0
            and not pgflow._is_met(step, subject.input) then step.when_unmet
          when state.initial_tasks = 0 then 'complete'
          else 'start'
        end,
        null
      )::pgflow.step_verdict
    )
    from unnest(_judge_steps.run_ids, _judge_steps.step_slugs) as ready (run_id, step_slug)
    join pgflow.runs as run on run.run_id = ready.run_id and run.status = 'started'
    join pgflow.steps as step
      on step.flow_slug = run.flow_slug and step.step_slug = ready.step_slug
    join pgflow.step_states as state
      on state.run_id = ready.run_id and state.step_slug = ready.step_slug
    cross join lateral (
      select case
        when num_nonnulls(step.required_input_pattern, step.forbidden_input_pattern) = 0 then null
        when step.deps_count = 0 then run.input
        else jsonb_build_object('run', run.input) || coalesce(
          (
            select jsonb_object_agg(parent.step_slug, parent.output)
            from pgflow.deps as dep
            join pgflow.step_states as parent
              on parent.run_id = ready.run_id and parent.step_slug = dep.dep_slug
            where dep.flow_slug = run.flow_slug and dep.step_slug = ready.step_slug
              and parent.status = 'completed'
          ),
          '{}'
        )
      end as input
    ) as subject
  );
end
$$;

comment on function pgflow._judge_steps is
'Find what is to become of steps that are ready, without doing it.';
