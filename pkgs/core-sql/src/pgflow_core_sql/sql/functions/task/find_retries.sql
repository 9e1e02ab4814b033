-- Tell what became of failed attempts: whether they are tried again, and when.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes, attempts: attempts that were reported as failed, as parallel
--     arrays.
-- Returns: a row for each whose failure was recorded, in no order: seconds until the next attempt
--   may start, NULL where there is none.
-- Errors: PF008 the arrays differ in length.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.find_retries(
  run_ids uuid [], step_slugs text [], task_indexes int [], attempts int []
)
returns table (
  run_id uuid, step_slug text, task_index int, attempt int, retry_in double precision
)
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set plan_cache_mode to force_generic_plan
set enable_seqscan to off
set enable_hashjoin to off
set enable_mergejoin to off
as $$
begin
  perform pgflow._require_equal_lengths(array[
    cardinality(find_retries.run_ids), cardinality(find_retries.step_slugs),
    cardinality(find_retries.task_indexes), cardinality(find_retries.attempts)
  ]);
  return query
  select
    failed.run_id, failed.step_slug::text, failed.task_index, failed.attempt,
    extract(epoch from failed.retry_at - clock_timestamp())::double precision
  from unnest(
    find_retries.run_ids, find_retries.step_slugs, find_retries.task_indexes,
    find_retries.attempts
  ) as report (run_id, step_slug, task_index, attempt)
  cross join lateral (
    select each.run_id, each.step_slug, each.task_index, each.attempt, each.retry_at
    from pgflow.task_attempts as each
    where each.run_id = report.run_id and each.step_slug = report.step_slug
      and each.task_index = report.task_index and each.attempt = report.attempt
    offset 0
  ) as failed;
end
$$;

comment on function pgflow.find_retries is
'Tell what became of failed attempts: whether they are tried again, and when.';
