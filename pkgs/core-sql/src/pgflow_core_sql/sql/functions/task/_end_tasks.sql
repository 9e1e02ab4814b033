-- End the tasks that are queued or under way, of whole runs or of single steps.
--
-- Parameters:
--   run_ids: the runs.
--   step_slugs: one step for each of run_ids; NULL is every step.
--   status: 'cancelled' or 'skipped'.
-- Returns: nothing.
-- Locks: the caller holds the runs for update. Then step_tasks of the runs.
-- Writes: step_tasks.
-- Idempotent: yes.
create or replace function pgflow._end_tasks(run_ids uuid [], step_slugs text [], status text)
returns void
language plpgsql
as $$
begin
  update pgflow.step_tasks as task
  set status = _end_tasks.status,
    cancelled_at = case
      when _end_tasks.status = 'cancelled' then greatest(now(), task.started_at)
    end,
    skipped_at = case
      when _end_tasks.status = 'skipped' then greatest(now(), task.started_at)
    end
  -- Asked for by run alone, so that no plan can do other than go by the runs; and not by place, as
  -- claims, which hold no run, may be about to move tasks.
  where task.run_id = any (_end_tasks.run_ids) and task.status in ('queued', 'started')
    and (
      _end_tasks.step_slugs is null
      or (task.run_id, task.step_slug) in (
        select ended.run_id, ended.step_slug
        from unnest(_end_tasks.run_ids, _end_tasks.step_slugs) as ended (run_id, step_slug)
      )
    );
end
$$;

comment on function pgflow._end_tasks is
'End the tasks that are queued or under way, of whole runs or of single steps.';
