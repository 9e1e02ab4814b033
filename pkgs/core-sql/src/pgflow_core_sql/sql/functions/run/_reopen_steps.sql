-- Put steps of a run back to where they have not run, and carry the run on from there.
--
-- Parameters:
--   run_id: the run, which the caller holds for update.
--   step_slugs: the steps.
--   repeated: those of them whose completed tasks are repeated too; for the others, completed tasks
--     keep their outputs.
--   flow_slug: the version of its flow that the run goes on as; NULL is the one that it has.
-- Returns: nothing.
-- Locks: the caller holds the run. Then its step_states and step_tasks.
-- Writes: runs, run_reopenings, step_states, step_tasks.
-- Idempotent: no.
create or replace function pgflow._reopen_steps(
  run_id uuid, step_slugs text [], repeated text [], flow_slug text default null
)
returns void
language plpgsql
set enable_seqscan to off
as $$
declare
  v_kept text[];
begin
  -- Claims hold no run. Once their tasks are ours, no attempt is given out that we do not see.
  perform from pgflow.step_tasks as task
  where task.run_id = _reopen_steps.run_id
  order by task.step_slug, task.task_index
  for update;
  perform pgflow._note_reopening(_reopen_steps.run_id, _reopen_steps.step_slugs);
  update pgflow.runs as run
  set status = 'started', completed_at = null, failed_at = null, cancelled_at = null,
    output = null, error_message = null, failed_step_slug = null,
    -- Tasks made anew begin above every attempt that was given out, which fences the old ones.
    first_attempt = greatest(run.first_attempt, (
      select max(task.attempts_count) from pgflow.step_tasks as task where task.run_id = run.run_id
    ))
  where run.run_id = _reopen_steps.run_id;
  if _reopen_steps.flow_slug <> (
    select run.flow_slug from pgflow.runs as run where run.run_id = _reopen_steps.run_id
  ) then
    perform pgflow._move_run(_reopen_steps.run_id, _reopen_steps.flow_slug);
  end if;
  update pgflow.step_states as state
  set status = 'created', output = null, error_message = null, skip_reason = null,
    remaining_tasks = null, started_at = null, completed_at = null, failed_at = null,
    skipped_at = null, cancelled_at = null
  where state.run_id = _reopen_steps.run_id
    and state.step_slug = any (_reopen_steps.step_slugs);
  perform pgflow._recount_run(_reopen_steps.run_id);
  v_kept := pgflow._resume_tasks(
    _reopen_steps.run_id, _reopen_steps.step_slugs, _reopen_steps.repeated
  );
  delete from pgflow.step_tasks as task
  where task.run_id = _reopen_steps.run_id
    and task.step_slug = any (_reopen_steps.step_slugs)
    and task.step_slug <> all (v_kept);
  perform pgflow._settle_ready_steps(_reopen_steps.run_id);
  perform pgflow._announce_changes(array[_reopen_steps.run_id]);
end
$$;

comment on function pgflow._reopen_steps is
'Put steps of a run back to where they have not run, and carry the run on from there.';
