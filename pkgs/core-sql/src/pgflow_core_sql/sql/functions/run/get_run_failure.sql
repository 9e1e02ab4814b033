-- Read the failed attempt that failed a run.
--
-- Parameters:
--   run_id: the run.
-- Returns: the row of task_attempts; nothing where there is no such run, where it is not failed, or
--   where it failed for another reason: a condition that was not met, say.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_run_failure(run_id uuid)
returns setof pgflow.task_attempts
language plpgsql
stable
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
as $$
begin
  return query
  select attempt.*
  from pgflow.runs as run
  join pgflow.task_attempts as attempt
    on attempt.run_id = run.run_id and attempt.step_slug = run.failed_step_slug
  where run.run_id = get_run_failure.run_id
    and run.status = 'failed'
    -- Both were written by one transaction.
    and attempt.failed_at = run.failed_at
    and attempt.retry_at is null
  order by attempt.task_index
  limit 1;
end
$$;

comment on function pgflow.get_run_failure is 'Read the failed attempt that failed a run.';
