-- Count what waits and what is under way, for some flows; see the view queue_depth.
--
-- Parameters:
--   flow_slugs: the flows by their names, with all versions, or versions, such as name@1.
-- Returns: a row for each version of them that is defined; seconds for the age of the oldest ready
--   task, NULL where there is none.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_queue_depth(flow_slugs text [])
returns table (
  flow_slug text, ready_tasks bigint, oldest_ready double precision, delayed_tasks bigint,
  started_tasks bigint
)
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  return query
  select
    depth.flow_slug::text, depth.ready_tasks,
    extract(epoch from depth.oldest_ready)::double precision, depth.delayed_tasks,
    depth.started_tasks
  from pgflow.queue_depth as depth
  where depth.flow_slug = any (array(
    select flow.flow_slug
    from unnest(get_queue_depth.flow_slugs) as named (slug)
    cross join lateral unnest(pgflow._versions_of(named.slug)) as flow (flow_slug)
  ));
end
$$;

comment on function pgflow.get_queue_depth is
'Count what waits and what is under way, for some flows; see the view queue_depth.';
