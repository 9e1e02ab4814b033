-- Record outputs of tasks whose runs are locked, and carry their runs on.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes, outputs, attempts: as in complete_tasks.
--   may_fail: whether the runs are held for update, so that an output may fail its run.
-- Returns: the refused reports.
-- Locks: the caller holds the runs as _completion_lock says. Then step_tasks and step_states by
--   key, then the runs for no key update.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: yes.
create or replace function pgflow._complete_batch(
  run_ids uuid [], step_slugs text [], task_indexes int [], outputs jsonb [], attempts int [],
  may_fail boolean
)
returns setof pgflow.step_task_record
language plpgsql
as $$
declare
  v_batch record;
begin
  if _complete_batch.may_fail then
    perform pgflow._fail_map_breakers(
      _complete_batch.run_ids, _complete_batch.step_slugs, _complete_batch.task_indexes,
      _complete_batch.outputs, _complete_batch.attempts
    );
  end if;
  select batch.* into v_batch
  from pgflow._complete_task_rows(
    _complete_batch.run_ids, _complete_batch.step_slugs, _complete_batch.task_indexes,
    _complete_batch.outputs, _complete_batch.attempts
  ) as batch;
  if v_batch.step_run_ids is not null then
    perform pgflow._lock_runs(v_batch.step_run_ids, 'step');
    if v_batch.completed_maps > 0 then
      perform pgflow._gather_map_outputs(v_batch.step_run_ids, v_batch.completed_slugs);
    end if;
    perform pgflow._carry_on(v_batch.step_run_ids, v_batch.completed_slugs);
  end if;
  if v_batch.recorded < cardinality(_complete_batch.run_ids) then
    return query
    select report.*
    from pgflow._refuse_completions(
      _complete_batch.run_ids, _complete_batch.step_slugs, _complete_batch.task_indexes,
      _complete_batch.attempts
    ) as report;
  end if;
end
$$;

comment on function pgflow._complete_batch is
'Record outputs of tasks whose runs are locked, and carry their runs on.';
