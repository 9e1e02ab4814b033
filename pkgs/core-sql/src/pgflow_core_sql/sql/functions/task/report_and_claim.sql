-- Report outputs and failures of a batch of tasks and claim the next, in one call and one commit.
--
-- Parameters:
--   worker_id: the registered worker.
--   flow_slugs, quantity, room: as in claim_tasks; quantity 0 claims nothing.
--   completed_run_ids, completed_step_slugs, completed_task_indexes, completed_attempts, outputs:
--     as in complete_tasks.
--   failed_run_ids, failed_step_slugs, failed_task_indexes, failed_attempts, error_messages,
--     are_final, retry_delays, error_types, tracebacks: as in fail_tasks.
-- Returns: the claimed tasks, and the refused reports with the reason in refused.
-- Errors: PF007 the worker is not registered. PF008 arrays differ in length. PF015 room is no
--   object of integers.
-- Locks: as complete_tasks and fail_tasks, in one sorted pass over all the runs, then claim_tasks.
-- Writes: as these three.
-- Idempotent: the reports are; claiming is not.
create or replace function pgflow.report_and_claim(
  worker_id uuid,
  flow_slugs text [],
  quantity int,
  completed_run_ids uuid [] default '{}',
  completed_step_slugs text [] default '{}',
  completed_task_indexes int [] default '{}',
  completed_attempts int [] default '{}',
  outputs jsonb [] default '{}',
  failed_run_ids uuid [] default '{}',
  failed_step_slugs text [] default '{}',
  failed_task_indexes int [] default '{}',
  failed_attempts int [] default '{}',
  error_messages text [] default '{}',
  are_final boolean [] default '{}',
  retry_delays int [] default '{}',
  error_types text [] default '{}',
  tracebacks text [] default '{}',
  room jsonb default null
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
declare
  v_run_ids uuid[] := report_and_claim.completed_run_ids || report_and_claim.failed_run_ids;
  v_length int := cardinality(report_and_claim.completed_run_ids);
  v_failures pgflow.failure_report[] := array[]::pgflow.failure_report[];
  v_strength text;
begin
  perform pgflow._require_equal_lengths(array[
    v_length, cardinality(report_and_claim.completed_step_slugs),
    cardinality(report_and_claim.completed_task_indexes), cardinality(report_and_claim.outputs),
    coalesce(nullif(cardinality(report_and_claim.completed_attempts), 0), v_length)
  ]);
  if cardinality(report_and_claim.failed_run_ids) > 0
    or cardinality(report_and_claim.error_messages) > 0 then
    v_failures := pgflow._failure_reports(
      report_and_claim.failed_run_ids, report_and_claim.failed_step_slugs,
      report_and_claim.failed_task_indexes, report_and_claim.error_messages,
      report_and_claim.failed_attempts, report_and_claim.are_final,
      report_and_claim.retry_delays, report_and_claim.error_types, report_and_claim.tracebacks
    );
  end if;
  if cardinality(v_run_ids) > 0 then
    v_strength := pgflow._lock_for_reports(
      report_and_claim.completed_run_ids, report_and_claim.completed_step_slugs,
      report_and_claim.outputs, v_failures
    );
  end if;
  if cardinality(v_failures) > 0 then
    if v_length > 0 then
      perform pgflow._lock_tasks(
        v_run_ids, report_and_claim.completed_step_slugs || report_and_claim.failed_step_slugs,
        report_and_claim.completed_task_indexes || report_and_claim.failed_task_indexes
      );
    end if;
    return query
    select report.*
    from pgflow._fail_batch(v_failures, v_strength = 'exclusive') as report;
  end if;
  if v_length > 0 then
    return query
    select report.*
    from pgflow._complete_batch(
      report_and_claim.completed_run_ids, report_and_claim.completed_step_slugs,
      report_and_claim.completed_task_indexes, report_and_claim.outputs,
      report_and_claim.completed_attempts, v_strength = 'exclusive'
    ) as report;
  end if;
  if report_and_claim.quantity > 0 then
    return query
    select task.*
    from pgflow._claim_batch(
      report_and_claim.flow_slugs, report_and_claim.quantity, report_and_claim.worker_id,
      report_and_claim.room
    ) as task;
  end if;
  if cardinality(v_run_ids) > 0 then
    perform pgflow._announce_changes(v_run_ids);
  end if;
end
$$;

comment on function pgflow.report_and_claim is
'Report outputs and failures of a batch of tasks and claim the next, in one call and one commit.';
