-- Read items of a step's stream, in the order of their places.
--
-- Parameters:
--   run_id, step_slug: the step of the run.
--   task_index: of one task of a map; NULL is of all tasks.
--   after: the place after which to begin; 0 is the start.
--   quantity: how many at most.
--   all_attempts: whether also items of attempts that failed or were given up. Otherwise, a task's
--     items are those of its latest attempt, whether that is under way, completed or failed.
-- Returns: the items; none where there is no such run or step.
-- Errors: PF015 the quantity is negative.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.read_stream(
  run_id uuid, step_slug text, task_index int default null, after bigint default 0,
  quantity int default 1000, all_attempts boolean default false
)
returns setof pgflow.stream_items
language plpgsql
stable
security definer
set search_path to pg_catalog, pg_temp
set plan_cache_mode to force_generic_plan
set join_collapse_limit to 1
set enable_seqscan to off
set enable_bitmapscan to off
set enable_hashjoin to off
set enable_mergejoin to off
set jit to off
as $$
begin
  perform pgflow._require_quantity(read_stream.quantity);
  return query
  select item.*
  from pgflow.stream_items as item
  left join pgflow.step_tasks as task
    on task.run_id = item.run_id and task.step_slug = item.step_slug
      and task.task_index = item.task_index
  where item.run_id = read_stream.run_id
    and item.step_slug = read_stream.step_slug
    and item.position > coalesce(read_stream.after, 0)
    -- A range, and not a choice, so that the index knows the task.
    and item.task_index >= coalesce(read_stream.task_index, 0)
    and item.task_index <= coalesce(read_stream.task_index, 2147483647)
    and (read_stream.all_attempts or item.attempt = task.attempts_count)
    -- Whoever may not see the run, by a policy of the owner's, sees nothing of it.
    and exists (select from pgflow.runs as run where run.run_id = read_stream.run_id offset 0)
  order by item.run_id, item.step_slug, item.position
  limit read_stream.quantity;
end
$$;

comment on function pgflow.read_stream is
'Read items of a step''s stream, in the order of their places.';
