-- Fail tasks whose output should feed a map but is no array, and their runs.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes, outputs, attempts: as in complete_tasks; other tasks among
--     them are left alone.
-- Returns: nothing.
-- Locks: the caller holds the runs for update.
-- Writes: runs, step_states, step_tasks, task_attempts.
-- Idempotent: yes.
create or replace function pgflow._fail_map_breakers(
  run_ids uuid [], step_slugs text [], task_indexes int [], outputs jsonb [], attempts int []
)
returns void
language plpgsql
as $$
declare
  v_run_ids uuid[];
  v_step_slugs text[];
  v_messages text[];
begin
  with broken as (
    update pgflow.step_tasks as task
    set status = 'failed', failed_at = greatest(now(), task.started_at), output = report.output,
      error_message = format(
        'step %s returned %s, but map %s runs over it and needs an array',
        step.step_slug, coalesce(jsonb_typeof(report.output), 'nothing'), over.step_slug
      )
    from unnest(
      _fail_map_breakers.run_ids, _fail_map_breakers.step_slugs, _fail_map_breakers.task_indexes,
      _fail_map_breakers.outputs, _fail_map_breakers.attempts
    ) as report (run_id, step_slug, task_index, output, attempt)
    join pgflow.runs as run on run.run_id = report.run_id
    join pgflow.steps as step
      on step.flow_slug = run.flow_slug and step.step_slug = report.step_slug
    cross join lateral (
      select map.step_slug
      from pgflow.steps as map
      where map.flow_slug = step.flow_slug and map.map_over = step.step_slug
      order by map.step_index
      limit 1
    ) as over
    where task.run_id = report.run_id and task.step_slug = report.step_slug
      and task.task_index = report.task_index and task.status = 'started'
      and task.attempts_count = coalesce(report.attempt, task.attempts_count)
      and step.feeds_map and jsonb_typeof(report.output) is distinct from 'array'
    returning task.run_id, task.step_slug, task.task_index, task.attempts_count,
      task.last_worker_id, task.started_at, task.error_message, step.step_index
  ),
  recorded as (
    insert into pgflow.task_attempts (
      run_id, step_slug, task_index, attempt, worker_id, started_at, error_message
    )
    select broken.run_id, broken.step_slug, broken.task_index, broken.attempts_count,
      broken.last_worker_id, broken.started_at, broken.error_message
    from broken
  ),
  cause as (
    select distinct on (broken.run_id) broken.run_id, broken.step_slug, broken.error_message
    from broken
    order by broken.run_id, broken.step_index
  )
  select array_agg(cause.run_id), array_agg(cause.step_slug), array_agg(cause.error_message)
  into v_run_ids, v_step_slugs, v_messages
  from cause;
  perform pgflow._fail_runs(v_run_ids, v_step_slugs, v_messages);
end
$$;

comment on function pgflow._fail_map_breakers is
'Fail tasks whose output should feed a map but is no array, and their runs.';
