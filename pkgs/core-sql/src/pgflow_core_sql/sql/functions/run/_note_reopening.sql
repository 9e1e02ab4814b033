-- Keep what the states of a run's steps tell, right before some of them are put back.
--
-- Parameters:
--   run_id: the run, which the caller holds for update.
--   step_slugs: the steps that will be put back.
-- Returns: nothing.
-- Locks: the caller holds the run.
-- Writes: run_reopenings, runs.
-- Idempotent: no.
create or replace function pgflow._note_reopening(run_id uuid, step_slugs text [])
returns void
language plpgsql
as $$
begin
  insert into pgflow.run_reopenings (run_id, reopening, step_slugs, progress)
  select run.run_id, run.reopened_count + 1, _note_reopening.step_slugs,
    pgflow.get_run_progress(run.run_id)
  from pgflow.runs as run
  where run.run_id = _note_reopening.run_id;
  update pgflow.runs as run
  set reopened_count = run.reopened_count + 1
  where run.run_id = _note_reopening.run_id;
end
$$;

comment on function pgflow._note_reopening is
'Keep what the states of a run''s steps tell, right before some of them are put back.';
