-- Put reports of failures, which come as parallel arrays, into one array.
--
-- Parameters: as in fail_tasks; the arrays from attempts on may be NULL or empty.
-- Returns: the reports in the order of their tasks' keys.
-- Errors: PF008 the arrays differ in length.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._failure_reports(
  run_ids uuid [], step_slugs text [], task_indexes int [], error_messages text [],
  attempts int [], are_final boolean [], retry_delays int [], error_types text [],
  tracebacks text []
)
returns pgflow.failure_report []
language plpgsql
as $$
declare
  v_length int := cardinality(_failure_reports.run_ids);
begin
  perform pgflow._require_equal_lengths(array[
    v_length, cardinality(_failure_reports.step_slugs),
    cardinality(_failure_reports.task_indexes), cardinality(_failure_reports.error_messages),
    coalesce(nullif(cardinality(_failure_reports.attempts), 0), v_length),
    coalesce(nullif(cardinality(_failure_reports.are_final), 0), v_length),
    coalesce(nullif(cardinality(_failure_reports.retry_delays), 0), v_length),
    coalesce(nullif(cardinality(_failure_reports.error_types), 0), v_length),
    coalesce(nullif(cardinality(_failure_reports.tracebacks), 0), v_length)
  ]);
  return array(
    select (
      each.run_id, each.step_slug, each.task_index, each.attempt,
      coalesce(left(each.error_message, 10000), 'no error message was given'),
      coalesce(each.is_final, false), each.retry_delay, left(each.error_type, 200),
      right(each.traceback, 10000)
    )::pgflow.failure_report
    from unnest(
      _failure_reports.run_ids, _failure_reports.step_slugs, _failure_reports.task_indexes,
      _failure_reports.error_messages, _failure_reports.attempts, _failure_reports.are_final,
      _failure_reports.retry_delays, _failure_reports.error_types, _failure_reports.tracebacks
    ) as each (
      run_id, step_slug, task_index, error_message, attempt, is_final, retry_delay, error_type,
      traceback
    )
    order by each.run_id, each.step_slug, each.task_index
  );
end
$$;

comment on function pgflow._failure_reports is
'Put reports of failures, which come as parallel arrays, into one array.';
