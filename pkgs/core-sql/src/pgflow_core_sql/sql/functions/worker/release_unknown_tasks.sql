-- Hand back what a worker holds without knowing it: tasks of a claim whose answer never came.
--
-- A worker calls this after a connection broke in mid-call, while no other call of its is under
-- way.
--
-- Parameters:
--   worker_id: the worker.
--   run_ids, step_slugs, task_indexes, attempts: the tasks that it knows it holds, as parallel
--     arrays, those with a result still to be reported included.
-- Returns: how many tasks went back; this costs them no attempt.
-- Errors: PF008 the arrays differ in length.
-- Locks: as release_tasks.
-- Writes: step_tasks.
-- Idempotent: yes.
create or replace function pgflow.release_unknown_tasks(
  worker_id uuid, run_ids uuid [], step_slugs text [], task_indexes int [], attempts int []
)
returns int
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set plan_cache_mode to force_generic_plan
set join_collapse_limit to 1
set enable_seqscan to off
set enable_bitmapscan to off
set enable_hashjoin to off
set enable_mergejoin to off
set jit to off
as $$
declare
  v_unknown record;
begin
  perform pgflow._require_equal_lengths(array[
    cardinality(release_unknown_tasks.run_ids), cardinality(release_unknown_tasks.step_slugs),
    cardinality(release_unknown_tasks.task_indexes), cardinality(release_unknown_tasks.attempts)
  ]);
  select
    array_agg(task.run_id) as run_ids, array_agg(task.step_slug) as step_slugs,
    array_agg(task.task_index) as task_indexes, array_agg(task.attempts_count) as attempts
  into v_unknown
  from pgflow.step_tasks as task
  left join unnest(
    release_unknown_tasks.run_ids, release_unknown_tasks.step_slugs,
    release_unknown_tasks.task_indexes, release_unknown_tasks.attempts
  ) as known (run_id, step_slug, task_index, attempt)
    on known.run_id = task.run_id and known.step_slug = task.step_slug
      and known.task_index = task.task_index and known.attempt = task.attempts_count
  where task.last_worker_id = release_unknown_tasks.worker_id and task.status = 'started'
    and known.run_id is null;
  if v_unknown.run_ids is null then
    return 0;
  end if;
  return pgflow.release_tasks(
    v_unknown.run_ids, v_unknown.step_slugs, v_unknown.task_indexes, v_unknown.attempts
  );
end
$$;

comment on function pgflow.release_unknown_tasks is
'Hand back what a worker holds without knowing it: tasks of a claim whose answer never came.';
