-- Count the tasks that keep workers busy or wait for one, to have as many workers as that takes.
--
-- For autoscalers, which ask again and again. A delayed task counts once it is due: where no worker
-- runs, nobody else puts it into the queue. What lost workers hold counts, for others to take it.
--
-- Parameters:
--   flow_slugs: the flows by their names, with all versions, or versions, such as name@1; NULL is
--     all.
--   quantity: where to stop counting, which bounds the work; NULL counts all.
-- Returns: the number; never NULL.
-- Errors: PF015 quantity is negative.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_backlog(
  flow_slugs text [] default null, quantity int default 10000
)
returns bigint
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
as $$
declare
  -- In a variable: to a plan the clock is no constant that an index could be asked for.
  v_now timestamptz := clock_timestamp();
  v_slugs text[] := case
    when get_backlog.flow_slugs is not null then array(
      select flow.flow_slug
      from pgflow.flows as flow
      where flow.flow_name = any(get_backlog.flow_slugs)
        -- The slug of the first version is the name: it alone is name@1.
        or flow.flow_name || '@' || flow.version = any(get_backlog.flow_slugs)
    )
  end;
begin
  perform pgflow._require_quantity(get_backlog.quantity);
  -- With an offset, the planner looks into the queue of each flow; without, it may read all of it.
  return (
    select count(*)
    from (
      select from pgflow.step_tasks as task
      where task.status = 'started' and task.last_worker_id is not null
        and (v_slugs is null or task.flow_slug = any(v_slugs))
      union all
      select from pgflow.flows as flow
      cross join lateral (
        select from pgflow.step_tasks as task
        where task.flow_slug = flow.flow_slug and task.status = 'queued'
          and task.order_at < 'infinity' and not task.claimed_apart
        union all
        select from pgflow.step_tasks as task
        where task.flow_slug = flow.flow_slug and task.status = 'queued'
          and task.order_at < 'infinity' and task.claimed_apart
        union all
        select from pgflow.step_tasks as task
        where task.flow_slug = flow.flow_slug and task.status = 'queued'
          and task.order_at = 'infinity' and task.available_at <= v_now
        offset 0
      ) as waiting
      where v_slugs is null or flow.flow_slug = any(v_slugs)
      limit get_backlog.quantity
    ) as counted
  );
end
$$;

comment on function pgflow.get_backlog is
'Count the tasks that keep workers busy or wait for one, to have as many workers as that takes.';
