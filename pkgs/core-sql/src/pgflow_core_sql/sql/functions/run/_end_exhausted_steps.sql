-- End steps one of whose tasks has no attempts left, as their when_exhausted says.
--
-- Parameters:
--   exhausted: the steps, each once, with when_exhausted as the verdict.
-- Returns: nothing.
-- Locks: the caller holds the runs for update. Then step_states and step_tasks.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: yes.
create or replace function pgflow._end_exhausted_steps(exhausted pgflow.step_verdict [])
returns void
language plpgsql
as $$
declare
  v_cause record;
  v_skipped record;
begin
  select array_agg(first.run_id) as run_ids, array_agg(first.step_slug) as step_slugs,
    array_agg(first.error_message) as messages
  into v_cause
  from (
    select distinct on (step.run_id) step.run_id, step.step_slug, step.error_message
    from unnest(_end_exhausted_steps.exhausted) as step
    where step.verdict = 'fail'
    order by step.run_id, step.step_index
  ) as first;
  if v_cause.run_ids is not null then
    perform pgflow._fail_runs(v_cause.run_ids, v_cause.step_slugs, v_cause.messages);
  end if;
  select array_agg(skipped.run_id) as run_ids, array_agg(skipped.step_slug) as step_slugs
  into v_skipped
  from pgflow._skip_steps(
    array(
      select step from unnest(_end_exhausted_steps.exhausted) as step where step.verdict <> 'fail'
    ),
    'handler_failed'
  ) as skipped;
  if v_skipped.run_ids is not null then
    perform pgflow._end_tasks(v_skipped.run_ids, v_skipped.step_slugs, 'skipped');
    perform pgflow._carry_on(v_skipped.run_ids, v_skipped.step_slugs);
  end if;
end
$$;

comment on function pgflow._end_exhausted_steps is
'End steps one of whose tasks has no attempts left, as their when_exhausted says.';
