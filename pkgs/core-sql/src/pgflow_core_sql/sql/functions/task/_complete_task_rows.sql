-- Write outputs to their tasks, count the tasks off their steps, and find the steps that this ends.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes, outputs, attempts: as in complete_tasks.
-- Returns: recorded, how many tasks were completed; the completed steps as parallel arrays, NULL
--   where there are none; completed_maps, how many of them are maps.
-- Locks: step_tasks by key, then step_states by key. The counter of a step is written last, so that
--   workers reporting elements of one map wait for each other as briefly as can be.
-- Writes: step_tasks, step_states.
-- Idempotent: yes, only a started task of the named attempt is completed.
create or replace function pgflow._complete_task_rows(
  run_ids uuid [],
  step_slugs text [],
  task_indexes int [],
  outputs jsonb [],
  attempts int [],
  out recorded int,
  out step_run_ids uuid [],
  out completed_slugs text [],
  out completed_maps int
)
language plpgsql
as $$
begin
  with completed as (
    update pgflow.step_tasks as task
    set status = 'completed', completed_at = greatest(now(), task.started_at),
      output = report.output
    from (
      select found.place, found.partition, found.attempts_count, each.output
      from unnest(
        _complete_task_rows.run_ids, _complete_task_rows.step_slugs,
        _complete_task_rows.task_indexes, _complete_task_rows.attempts, _complete_task_rows.outputs
      ) as each (run_id, step_slug, task_index, attempt, output)
      cross join lateral (
        select held.ctid as place, held.tableoid as partition, held.attempts_count
        from pgflow.step_tasks as held
        where held.run_id = each.run_id and held.step_slug = each.step_slug
          and held.task_index = each.task_index and held.status = 'started'
          and held.attempts_count = coalesce(each.attempt, held.attempts_count)
        offset 0
      ) as found
      order by each.run_id, each.step_slug, each.task_index
    ) as report
    -- Asked again: to the task that a lock is waited for, anything may happen meanwhile.
    where task.ctid = report.place and task.tableoid = report.partition
      and task.status = 'started' and task.attempts_count = report.attempts_count
    returning task.run_id, task.step_slug, task.flow_slug, task.output
  ),
  counted as (
    update pgflow.step_states as state
    set remaining_tasks = state.remaining_tasks - batch.tasks,
      status = case when state.remaining_tasks = batch.tasks then 'completed' else state.status end,
      completed_at = case
        when state.remaining_tasks = batch.tasks then greatest(now(), state.started_at)
      end,
      output = case when step.step_type = 'single' then batch.output end
    from (
      select completed.run_id, completed.step_slug, completed.flow_slug,
        count(*)::int as tasks, (array_agg(completed.output))[1] as output
      from completed
      group by completed.run_id, completed.step_slug, completed.flow_slug
      order by completed.run_id, completed.step_slug
    ) as batch
    cross join lateral (
      select each.step_type
      from pgflow.steps as each
      where each.flow_slug = batch.flow_slug and each.step_slug = batch.step_slug
      offset 0
    ) as step
    where state.run_id = batch.run_id and state.step_slug = batch.step_slug
    returning state.run_id, state.step_slug, state.status, step.step_type, batch.tasks
  )
  select
    coalesce(sum(counted.tasks), 0),
    array_agg(counted.run_id) filter (where counted.status = 'completed'),
    array_agg(counted.step_slug) filter (where counted.status = 'completed'),
    count(*) filter (where counted.status = 'completed' and counted.step_type = 'map')
  into
    _complete_task_rows.recorded, _complete_task_rows.step_run_ids,
    _complete_task_rows.completed_slugs, _complete_task_rows.completed_maps
  from counted;
end
$$;

comment on function pgflow._complete_task_rows is
'Write outputs to their tasks, count the tasks off their steps, and find the steps that this ends.';
