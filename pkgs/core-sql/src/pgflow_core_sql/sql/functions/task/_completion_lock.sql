-- Find how strongly the runs of a batch of outputs have to be locked.
--
-- Parameters:
--   run_ids, step_slugs, outputs: the reports, as parallel arrays.
-- Returns: 'exclusive' where an output may fail its run (it feeds a map and is no array, or a later
--   condition fails when unmet), else 'share'. Reports that end a step lock its run more strongly
--   only once they hold their tasks: whoever held the run and waited for a task could deadlock with
--   another report of the same task.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._completion_lock(
  run_ids uuid [], step_slugs text [], outputs jsonb []
)
returns text
language plpgsql
as $$
declare
  v_may_fail boolean;
begin
  select bool_or(
    step.may_fail_run
    or (step.feeds_map and jsonb_typeof(report.output) is distinct from 'array')
  )
  into v_may_fail
  from unnest(_completion_lock.run_ids, _completion_lock.step_slugs, _completion_lock.outputs)
    as report (run_id, step_slug, output)
  cross join lateral (
    select each.flow_slug from pgflow.runs as each where each.run_id = report.run_id offset 0
  ) as run
  cross join lateral (
    select each.may_fail_run, each.feeds_map
    from pgflow.steps as each
    where each.flow_slug = run.flow_slug and each.step_slug = report.step_slug
    offset 0
  ) as step;
  return case when v_may_fail then 'exclusive' else 'share' end;
end
$$;

comment on function pgflow._completion_lock is
'Find how strongly the runs of a batch of outputs have to be locked.';
