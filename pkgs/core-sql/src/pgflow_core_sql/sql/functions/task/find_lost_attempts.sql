-- Find attempts that a worker is at but that count no longer.
--
-- They were cancelled, skipped, or taken from it.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes, attempts: the attempts, as parallel arrays.
-- Returns: the lost ones, with the reason in refused: the status that the task has instead,
--   'stale_attempt', or 'unknown_task' where its run was deleted.
-- Errors: PF008 the arrays differ in length.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.find_lost_attempts(
  run_ids uuid [], step_slugs text [], task_indexes int [], attempts int []
)
returns setof pgflow.step_task_record
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
begin
  perform pgflow._require_equal_lengths(array[
    cardinality(find_lost_attempts.run_ids), cardinality(find_lost_attempts.step_slugs),
    cardinality(find_lost_attempts.task_indexes), cardinality(find_lost_attempts.attempts)
  ]);
  return query
  select
    task.flow_slug::text, held.run_id, held.step_slug, null::jsonb, held.task_index, null::jsonb,
    held.attempt,
    case
      when task.run_id is null then 'unknown_task'
      when task.attempts_count <> held.attempt then 'stale_attempt'
      else task.status
    end
  from unnest(
    find_lost_attempts.run_ids, find_lost_attempts.step_slugs, find_lost_attempts.task_indexes,
    find_lost_attempts.attempts
  ) as held (run_id, step_slug, task_index, attempt)
  left join lateral (
    select each.run_id, each.flow_slug, each.attempts_count, each.status
    from pgflow.step_tasks as each
    where each.run_id = held.run_id and each.step_slug = held.step_slug
      and each.task_index = held.task_index
    offset 0
  ) as task on true
  where task.run_id is null or task.attempts_count <> held.attempt or task.status <> 'started';
end
$$;

comment on function pgflow.find_lost_attempts is
'Find attempts that a worker is at but that count no longer.';
