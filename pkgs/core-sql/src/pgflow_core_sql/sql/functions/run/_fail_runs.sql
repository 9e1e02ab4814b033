-- Fail runs: the step that is to blame fails, and all that is under way or waiting is cancelled.
--
-- Parameters:
--   run_ids, step_slugs, error_messages: for each run the step that failed it, and why, as parallel
--     arrays without a run twice.
-- Returns: nothing.
-- Locks: the caller holds the runs for update. Then step_states and step_tasks of the runs.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: yes, a run that has ended stays as it is.
create or replace function pgflow._fail_runs(
  run_ids uuid [], step_slugs text [], error_messages text []
)
returns void
language plpgsql
as $$
begin
  with failed as (
    update pgflow.runs as run
    set status = 'failed', failed_at = greatest(now(), run.started_at),
      error_message = cause.error_message,
      failed_step_slug = cause.step_slug
    from unnest(_fail_runs.run_ids, _fail_runs.step_slugs, _fail_runs.error_messages)
      as cause (run_id, step_slug, error_message)
    cross join lateral (
      select each.ctid as place, each.tableoid as partition
      from pgflow.runs as each
      where each.run_id = cause.run_id and each.status = 'started'
      offset 0
    ) as found
    where run.ctid = found.place and run.tableoid = found.partition
    returning run.run_id, run.failed_step_slug, run.error_message
  )
  update pgflow.step_states as state
  set status = case
      when state.step_slug = failed.failed_step_slug then 'failed' else 'cancelled'
    end,
    failed_at = case
      when state.step_slug = failed.failed_step_slug then greatest(now(), state.started_at)
    end,
    cancelled_at = case
      when state.step_slug <> failed.failed_step_slug then greatest(now(), state.started_at)
    end,
    error_message = case
      when state.step_slug = failed.failed_step_slug then failed.error_message
    end
  from failed
  cross join lateral (
    select each.ctid as place, each.tableoid as partition
    from pgflow.step_states as each
    where each.run_id = failed.run_id and each.status in ('created', 'started')
    offset 0
  ) as found
  where state.ctid = found.place and state.tableoid = found.partition;
  perform pgflow._end_tasks(_fail_runs.run_ids, null, 'cancelled');
end
$$;

comment on function pgflow._fail_runs is
'Fail runs: the step that is to blame fails, and all that is under way or waiting is cancelled.';
