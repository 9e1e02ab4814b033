-- Delete runs with all that belongs to them.
--
-- Parameters:
--   run_ids: the runs, which the caller holds for update; NULL is none.
-- Returns: nothing. Whoever watches one of them is notified.
-- Locks: rows of run_watchers, skipping those that others hold; else none of its own.
-- Writes: runs, step_states, step_tasks, task_attempts, streams, stream_items, run_keys,
--   run_watchers, run_reopenings.
-- Idempotent: yes.
create or replace function pgflow._delete_runs(run_ids uuid [])
returns void
language plpgsql
set enable_seqscan to off
as $$
begin
  delete from pgflow.run_keys as key where key.run_id = any (_delete_runs.run_ids);
  delete from pgflow.stream_items as item where item.run_id = any (_delete_runs.run_ids);
  delete from pgflow.streams as stream where stream.run_id = any (_delete_runs.run_ids);
  delete from pgflow.run_reopenings as past where past.run_id = any (_delete_runs.run_ids);
  delete from pgflow.task_attempts as attempt where attempt.run_id = any (_delete_runs.run_ids);
  delete from pgflow.step_tasks as task where task.run_id = any (_delete_runs.run_ids);
  delete from pgflow.step_states as state where state.run_id = any (_delete_runs.run_ids);
  delete from pgflow.runs as run where run.run_id = any (_delete_runs.run_ids);
  perform pgflow._wake_watchers(_delete_runs.run_ids, 'pgflow_runs');
  -- A client may be prolonging its watch of several runs; what it holds expires by itself.
  delete from pgflow.run_watchers as watcher
  where watcher.ctid = any (array(
    select free.ctid
    from pgflow.run_watchers as free
    where free.run_id = any (_delete_runs.run_ids)
    for update skip locked
  ));
end
$$;

comment on function pgflow._delete_runs is 'Delete runs with all that belongs to them.';
