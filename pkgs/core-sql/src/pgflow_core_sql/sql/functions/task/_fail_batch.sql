-- Record failed attempts of tasks whose runs are locked, and what follows for steps and runs.
--
-- Parameters:
--   failures: the reports.
--   may_exhaust: whether the runs are held for update, so that steps and runs may end.
-- Returns: the refused reports.
-- Locks: the caller holds the runs. Then step_tasks and step_states.
-- Writes: runs, step_states, step_tasks, task_attempts.
-- Idempotent: yes.
create or replace function pgflow._fail_batch(
  failures pgflow.failure_report [], may_exhaust boolean
)
returns setof pgflow.step_task_record
language plpgsql
as $$
declare
  v_batch record;
begin
  select batch.* into v_batch
  from pgflow._fail_task_rows(_fail_batch.failures, _fail_batch.may_exhaust) as batch;
  if v_batch.exhausted is not null then
    perform pgflow._end_exhausted_steps(v_batch.exhausted);
  end if;
  if v_batch.recorded < cardinality(_fail_batch.failures) then
    return query
    select report.*
    from pgflow._refuse_failures(_fail_batch.failures) as report;
  end if;
end
$$;

comment on function pgflow._fail_batch is
'Record failed attempts of tasks whose runs are locked, and what follows for steps and runs.';
