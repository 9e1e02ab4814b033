-- Record failed attempts of tasks whose runs are locked, and what follows for steps and runs.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes, error_messages, attempts, are_final, retry_delays: as in
--     fail_tasks.
--   may_exhaust: whether the runs are held for update, so that steps and runs may end.
-- Returns: the refused reports.
-- Locks: the caller holds the runs. Then step_tasks and step_states.
-- Writes: runs, step_states, step_tasks, task_attempts.
-- Idempotent: yes.
create or replace function pgflow._fail_batch(
  run_ids uuid [], step_slugs text [], task_indexes int [], error_messages text [],
  attempts int [], are_final boolean [], retry_delays int [], may_exhaust boolean
)
returns setof pgflow.step_task_record
language plpgsql
set search_path to ''
as $$
declare
  v_batch record;
begin
  select batch.* into v_batch
  from pgflow._fail_task_rows(
    _fail_batch.run_ids, _fail_batch.step_slugs, _fail_batch.task_indexes,
    _fail_batch.error_messages, _fail_batch.attempts, _fail_batch.are_final,
    _fail_batch.retry_delays, _fail_batch.may_exhaust
  ) as batch;
  if v_batch.exhausted is not null then
    perform pgflow._end_exhausted_steps(v_batch.exhausted);
  end if;
  if v_batch.recorded < cardinality(_fail_batch.run_ids) then
    return query
    select report.*
    from pgflow._refuse_failures(
      _fail_batch.run_ids, _fail_batch.step_slugs, _fail_batch.task_indexes, _fail_batch.attempts
    ) as report;
  end if;
end
$$;

comment on function pgflow._fail_batch is
'Record failed attempts of tasks whose runs are locked, and what follows for steps and runs.';
