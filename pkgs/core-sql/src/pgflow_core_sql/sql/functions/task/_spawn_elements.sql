-- Write one task an element for those of the given steps that are maps.
--
-- Parameters:
--   run_ids, step_slugs: steps that have just started, as parallel arrays.
-- Returns: nothing.
-- Locks: none; the caller holds the runs, or has just inserted them.
-- Writes: step_tasks. The element is stored with its task, except where a map runs over a map:
--   there it is the output of the other map's task with the same index.
-- Idempotent: no.
create or replace function pgflow._spawn_elements(run_ids uuid [], step_slugs text [])
returns void
language plpgsql
as $$
begin
  insert into pgflow.step_tasks (
    run_id, step_slug, task_index, flow_slug, priority, attempts_count, released_count,
    claimed_apart, input, order_at, available_at
  )
  select
    run.run_id, step.step_slug, element.task_index, run.flow_slug, run.priority,
    run.first_attempt, run.first_attempt, step.claimed_apart, element.input,
    case
      when step.opt_start_delay > 0 or run.delayed_until > now() then 'infinity'
      else pgflow._place_in_queue(now(), element.task_index)
    end,
    greatest(now(), run.delayed_until) + make_interval(secs => coalesce(step.opt_start_delay, 0))
  from unnest(_spawn_elements.run_ids, _spawn_elements.step_slugs) as started (run_id, step_slug)
  cross join lateral (
    select each.run_id, each.flow_slug, each.input, each.priority, each.first_attempt,
      each.delayed_until
    from pgflow.runs as each
    where each.run_id = started.run_id
    offset 0
  ) as run
  cross join lateral (
    select each.step_slug, each.map_over, each.opt_start_delay, each.claimed_apart
    from pgflow.steps as each
    where each.flow_slug = run.flow_slug and each.step_slug = started.step_slug
      and each.step_type = 'map'
    offset 0
  ) as step
  cross join lateral (
    select each.initial_tasks
    from pgflow.step_states as each
    where each.run_id = started.run_id and each.step_slug = started.step_slug
    offset 0
  ) as state
  left join lateral (
    select each.step_type
    from pgflow.steps as each
    where each.flow_slug = run.flow_slug and each.step_slug = step.map_over
    offset 0
  ) as source on true
  cross join lateral (
    select (value.place - 1)::int as task_index, value.input
    from jsonb_array_elements(case
      when step.map_over = 'run' then run.input
      when source.step_type = 'single' then (
        select parent.output
        from pgflow.step_states as parent
        where parent.run_id = started.run_id and parent.step_slug = step.map_over
      )
    end) with ordinality as value (input, place)
    union all
    select place.task_index, null
    from generate_series(
      0, case when source.step_type = 'map' then state.initial_tasks - 1 else -1 end
    ) as place (task_index)
  ) as element;
end
$$;

comment on function pgflow._spawn_elements is
'Write one task an element for those of the given steps that are maps.';
