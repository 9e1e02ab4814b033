-- Decide, once, each of the steps that are ready: fail, skip, complete without tasks, or start.
--
-- Parameters:
--   run_ids, step_slugs: steps in 'created' without dependencies left, as parallel arrays.
-- Returns: parallel arrays, NULL where empty: the steps whose unmet condition fails their run (the
--   first of each run); the steps that have started; and those that are done, which are the
--   completed, the skipped, and all that a skip took with it.
-- Locks: the caller holds the runs.
-- Writes: step_states; of runs that have to fail, nothing.
-- Idempotent: no.
create or replace function pgflow._decide_steps(
  run_ids uuid [],
  step_slugs text [],
  out failed_run_ids uuid [],
  out failed_step_slugs text [],
  out started_run_ids uuid [],
  out started_step_slugs text [],
  out done_run_ids uuid [],
  out done_step_slugs text []
)
language plpgsql
as $$
declare
  v_verdicts pgflow.step_verdict[];
begin
  v_verdicts := pgflow._judge_steps(_decide_steps.run_ids, _decide_steps.step_slugs);
  select array_agg(first.run_id), array_agg(first.step_slug)
  into _decide_steps.failed_run_ids, _decide_steps.failed_step_slugs
  from (
    select distinct on (verdict.run_id) verdict.run_id, verdict.step_slug
    from unnest(v_verdicts) as verdict
    where verdict.verdict = 'fail'
    order by verdict.run_id, verdict.step_index
  ) as first;
  with verdict as (
    select judged.run_id, judged.step_slug, judged.verdict
    from unnest(v_verdicts) as judged
    where judged.run_id <> all (coalesce(_decide_steps.failed_run_ids, '{}'))
  ),
  started as (
    update pgflow.step_states as state
    set status = 'started', started_at = now(), remaining_tasks = state.initial_tasks
    from verdict
    where state.run_id = verdict.run_id and state.step_slug = verdict.step_slug
      and verdict.verdict = 'start'
    returning state.run_id, state.step_slug
  ),
  completed as (
    update pgflow.step_states as state
    set status = 'completed', started_at = now(), completed_at = now(), remaining_tasks = 0,
      output = '[]'
    from verdict
    where state.run_id = verdict.run_id and state.step_slug = verdict.step_slug
      and verdict.verdict = 'complete'
    returning state.run_id, state.step_slug
  )
  select
    (select array_agg(started.run_id) from started),
    (select array_agg(started.step_slug) from started),
    (select array_agg(completed.run_id) from completed),
    (select array_agg(completed.step_slug) from completed)
  into
    _decide_steps.started_run_ids, _decide_steps.started_step_slugs,
    _decide_steps.done_run_ids, _decide_steps.done_step_slugs;
  select
    _decide_steps.done_run_ids || array_agg(skipped.run_id),
    _decide_steps.done_step_slugs || array_agg(skipped.step_slug)
  into _decide_steps.done_run_ids, _decide_steps.done_step_slugs
  from pgflow._skip_steps(
    array(
      select judged from unnest(v_verdicts) as judged
      where judged.verdict in ('skip', 'skip-cascade')
        and judged.run_id <> all (coalesce(_decide_steps.failed_run_ids, '{}'))
    ),
    'condition_unmet'
  ) as skipped;
end
$$;

comment on function pgflow._decide_steps is
'Decide, once, each of the steps that are ready: fail, skip, complete without tasks, or start.';
