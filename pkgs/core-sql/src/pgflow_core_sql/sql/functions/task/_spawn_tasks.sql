-- Write the tasks of steps that have just started.
--
-- Parameters:
--   run_ids, step_slugs: the steps, as parallel arrays; NULL is none.
-- Returns: nothing.
-- Locks: none; the caller holds the runs, or has just inserted them.
-- Writes: step_tasks. Elements of a map lie a second apart in the order of the queue; see
--   _place_in_queue. Tasks of a delayed run, and of a step with a start delay, wait outside
--   of the queue until they come due.
-- Idempotent: no.
create or replace function pgflow._spawn_tasks(run_ids uuid [], step_slugs text [])
returns void
language plpgsql
as $$
declare
  v_singles int;
begin
  insert into pgflow.step_tasks (
    run_id, step_slug, task_index, flow_slug, priority, attempts_count, released_count,
    claimed_apart, order_at, available_at
  )
  select
    run.run_id, step.step_slug, 0, run.flow_slug, run.priority,
    run.first_attempt, run.first_attempt, step.claimed_apart,
    case
      when step.opt_start_delay > 0 or run.delayed_until > now() then 'infinity' else now()
    end,
    greatest(now(), run.delayed_until) + make_interval(secs => coalesce(step.opt_start_delay, 0))
  from unnest(_spawn_tasks.run_ids, _spawn_tasks.step_slugs) as started (run_id, step_slug)
  cross join lateral (
    select each.run_id, each.flow_slug, each.priority, each.first_attempt, each.delayed_until
    from pgflow.runs as each
    where each.run_id = started.run_id
    offset 0
  ) as run
  cross join lateral (
    select each.step_slug, each.opt_start_delay, each.claimed_apart
    from pgflow.steps as each
    where each.flow_slug = run.flow_slug and each.step_slug = started.step_slug
      and each.step_type = 'single'
    offset 0
  ) as step;
  get diagnostics v_singles = row_count;
  if v_singles < cardinality(_spawn_tasks.run_ids) then
    perform pgflow._spawn_elements(_spawn_tasks.run_ids, _spawn_tasks.step_slugs);
  end if;
end
$$;

comment on function pgflow._spawn_tasks is 'Write the tasks of steps that have just started.';
