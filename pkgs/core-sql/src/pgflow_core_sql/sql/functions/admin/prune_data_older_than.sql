-- Delete runs that ended longer ago than a span, with their history, a bounded number at a time.
--
-- Also workers that were last alive, and keys that expired, longer ago than that. Definitions and
-- runs that are under way stay, whatever their age. Safe beside running workers: rows that others
-- hold are passed over.
--
-- Parameters:
--   retention: how long runs are kept after their end; not negative.
--   quantity: how many runs at most; call again, in another transaction, until it returns less.
-- Returns: how many runs were deleted.
-- Errors: PF005 retention is NULL or negative.
-- Locks: the runs, skipping those that others hold.
-- Writes: runs, step_states, step_tasks, task_attempts, streams, stream_items, run_keys,
--   run_watchers, workers.
-- Idempotent: yes.
create or replace function pgflow.prune_data_older_than(
  retention interval, quantity int default 1000
)
returns int
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_before timestamptz := now() - prune_data_older_than.retention;
  v_run_ids uuid[];
begin
  if prune_data_older_than.retention is null or prune_data_older_than.retention < '0' then
    raise exception using
      errcode = 'PF005',
      message = 'retention has to be a span that is not negative',
      detail = format('retention=%s', prune_data_older_than.retention);
  end if;
  select array_agg(ended.run_id) into v_run_ids
  from (
    select run.run_id
    from pgflow.runs as run
    where run.started_at < v_before and run.status <> 'started'
      and coalesce(run.completed_at, run.failed_at, run.cancelled_at) < v_before
    limit prune_data_older_than.quantity
    for update skip locked
  ) as ended;
  perform pgflow._delete_runs(v_run_ids);
  delete from pgflow.run_keys as key where key.expires_at < v_before;
  delete from pgflow.workers as worker
  where worker.last_heartbeat_at < v_before and not exists (
    select from pgflow.step_tasks as task
    where task.last_worker_id = worker.worker_id and task.status = 'started'
  );
  return coalesce(cardinality(v_run_ids), 0);
end
$$;

comment on function pgflow.prune_data_older_than is
'Delete runs that ended longer ago than a span, with their history, a bounded number at a time.';
