-- Skip steps, and where a verdict is 'skip-cascade', every step that depends on them and waits.
--
-- Dependents that are under way got there without the step, in a run that was retried; they go on.
--
-- Parameters:
--   verdicts: the steps; error_message is kept on those that are skipped after a failure.
--   reason: skip_reason of the steps themselves; that of their dependents is dependency_skipped.
-- Returns: the steps that are skipped now, dependents included. Counting them off is for the
--   caller, by _count_off.
-- Locks: the caller holds the runs.
-- Writes: step_states.
-- Idempotent: yes, a step that has ended stays as it is.
create or replace function pgflow._skip_steps(verdicts pgflow.step_verdict [], reason text)
returns table (run_id uuid, step_slug text)
language plpgsql
as $$
#variable_conflict use_column
begin
  return query
  with recursive trigger as (
    select verdict.run_id, verdict.step_slug collate "C" as step_slug,
      verdict.flow_slug collate "C" as flow_slug, verdict.verdict, verdict.error_message
    from unnest(_skip_steps.verdicts) as verdict
  ),
  -- union, not union all: a step that is reached by many paths is visited once.
  reached as (
    select trigger.run_id, trigger.flow_slug, trigger.step_slug
    from trigger
    where trigger.verdict = 'skip-cascade'
    union
    select reached.run_id, reached.flow_slug, dep.step_slug
    from reached
    join pgflow.deps as dep
      on dep.flow_slug = reached.flow_slug and dep.dep_slug = reached.step_slug
  ),
  affected as (
    select distinct on (named.run_id, named.step_slug)
      named.run_id, named.step_slug, named.reason, named.error_message, named.place
    from (
      select trigger.run_id, trigger.step_slug, _skip_steps.reason as reason,
        trigger.error_message, 1 as place
      from trigger
      union all
      select reached.run_id, reached.step_slug, 'dependency_skipped', null, 2
      from reached
    ) as named
    order by named.run_id, named.step_slug, named.place
  )
  update pgflow.step_states as state
  set status = 'skipped', skip_reason = affected.reason,
    skipped_at = greatest(now(), state.started_at),
    error_message = affected.error_message, remaining_tasks = null
  from affected
  cross join lateral (
    select each.ctid as place, each.tableoid as partition
    from pgflow.step_states as each
    where each.run_id = affected.run_id and each.step_slug = affected.step_slug
      and (each.status = 'created' or (each.status = 'started' and affected.place = 1))
    offset 0
  ) as found
  where state.ctid = found.place and state.tableoid = found.partition
  returning state.run_id, state.step_slug;
end
$$;

comment on function pgflow._skip_steps is
'Skip steps, and where a verdict is ''skip-cascade'', every step that depends on them and waits.';
