-- Have what a run waits for come due at once: its own delay, start delays, and retries.
--
-- For impatient people, and for tests, which call it again and again: what is delayed later is not
-- touched.
--
-- Parameters:
--   run_id: the run.
-- Returns: how many tasks have come due by this.
-- Errors: PF002 no such run.
-- Locks: the run (for no key update), then its delayed tasks by key.
-- Writes: runs, step_tasks.
-- Idempotent: yes.
create or replace function pgflow.skip_delays(run_id uuid)
returns int
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
as $$
declare
  v_due int;
begin
  perform pgflow._require_run(skip_delays.run_id);
  perform pgflow._lock_runs(array[skip_delays.run_id], 'step');
  update pgflow.runs as run
  set delayed_until = null
  where run.run_id = skip_delays.run_id and run.delayed_until > now();
  update pgflow.step_tasks as task
  set order_at = now(), available_at = now()
  from (
    select delayed.step_slug, delayed.task_index
    from pgflow.step_tasks as delayed
    where delayed.run_id = skip_delays.run_id and delayed.status = 'queued'
      and delayed.order_at = 'infinity'
    order by delayed.step_slug, delayed.task_index
    for no key update
  ) as waiting
  where task.run_id = skip_delays.run_id and task.step_slug = waiting.step_slug
    and task.task_index = waiting.task_index;
  get diagnostics v_due = row_count;
  if v_due > 0 then
    perform pgflow._announce_changes(array[skip_delays.run_id]);
  end if;
  return v_due;
end
$$;

comment on function pgflow.skip_delays is
'Have what a run waits for come due at once: its own delay, start delays, and retries.';
