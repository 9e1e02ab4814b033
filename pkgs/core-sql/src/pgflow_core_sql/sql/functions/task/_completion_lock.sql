-- Find how strongly the runs of a batch of outputs have to be locked.
--
-- Parameters:
--   run_ids, step_slugs, outputs: the reports, as parallel arrays.
-- Returns: 'exclusive' where an output may fail its run (it feeds a map and is no array, or a later
--   condition fails when unmet), 'step' where every task is the only one of its step, else 'share'.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._completion_lock(
  run_ids uuid [], step_slugs text [], outputs jsonb []
)
returns text
language plpgsql
set search_path to ''
as $$
declare
  v_may_fail boolean;
  v_only_singles boolean;
begin
  select
    bool_or(
      step.may_fail_run
      or (step.feeds_map and jsonb_typeof(report.output) is distinct from 'array')
    ),
    bool_and(step.step_type = 'single')
  into v_may_fail, v_only_singles
  from unnest(_completion_lock.run_ids, _completion_lock.step_slugs, _completion_lock.outputs)
    as report (run_id, step_slug, output)
  join pgflow.runs as run on run.run_id = report.run_id
  join pgflow.steps as step
    on step.flow_slug = run.flow_slug and step.step_slug = report.step_slug;
  return case when v_may_fail then 'exclusive' when v_only_singles then 'step' else 'share' end;
end
$$;

comment on function pgflow._completion_lock is
'Find how strongly the runs of a batch of outputs have to be locked.';
