-- Hand claimed tasks back, to be claimed again at once; this costs them no attempt.
--
-- Tasks of a step that is claimed apart by now go to the queue of their step.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes: the tasks, as parallel arrays.
--   attempts: attempts_count of each claim.
-- Returns: how many tasks went back. Tasks that this attempt no longer holds stay as they are.
-- Errors: PF008 the arrays differ in length.
-- Locks: the runs, sorted (for key share), then the tasks by key.
-- Writes: step_tasks.
-- Idempotent: yes.
create or replace function pgflow.release_tasks(
  run_ids uuid [], step_slugs text [], task_indexes int [], attempts int []
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
  v_released int;
begin
  perform pgflow._require_equal_lengths(array[
    cardinality(release_tasks.run_ids), cardinality(release_tasks.step_slugs),
    cardinality(release_tasks.task_indexes), cardinality(release_tasks.attempts)
  ]);
  perform pgflow._lock_runs(release_tasks.run_ids, 'share');
  update pgflow.step_tasks as task
  set status = 'queued', started_at = null, released_count = task.released_count + 1,
    claimed_apart = (
      select step.claimed_apart
      from pgflow.steps as step
      where step.flow_slug = task.flow_slug and step.step_slug = task.step_slug
    )
  from (
    select held.place, held.partition, report.attempt
    from unnest(
      release_tasks.run_ids, release_tasks.step_slugs, release_tasks.task_indexes,
      release_tasks.attempts
    ) as report (run_id, step_slug, task_index, attempt)
    cross join lateral (
      select each.ctid as place, each.tableoid as partition
      from pgflow.step_tasks as each
      where each.run_id = report.run_id and each.step_slug = report.step_slug
        and each.task_index = report.task_index and each.status = 'started'
        and each.attempts_count = report.attempt
      offset 0
    ) as held
    order by report.run_id, report.step_slug, report.task_index
  ) as found
  where task.ctid = found.place and task.tableoid = found.partition
    and task.status = 'started' and task.attempts_count = found.attempt;
  get diagnostics v_released = row_count;
  perform pgflow._announce_changes(release_tasks.run_ids);
  return v_released;
end
$$;

comment on function pgflow.release_tasks is
'Hand claimed tasks back, to be claimed again at once; this costs them no attempt.';
