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
set search_path to pg_catalog, pg_temp
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
  from unnest(_end_tasks.run_ids, coalesce(_end_tasks.step_slugs, '{}'))
    as ended (run_id, step_slug)
  where task.run_id = ended.run_id and task.status in ('queued', 'started')
    and (_end_tasks.step_slugs is null or task.step_slug = ended.step_slug);
end
$$;

comment on function pgflow._end_tasks is
'End the tasks that are queued or under way, of whole runs or of single steps.';
