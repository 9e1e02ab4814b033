-- List the versions of flows, with what is under way of them and who serves them.
--
-- Parameters:
--   flow_slug: the name of a flow, or a version such as name@2; NULL is all flows.
-- Returns: by flow, the youngest version first. is_current: whether new runs take it. open_runs:
--   how many runs have not ended; of a version with more than 10,000 tasks ready, those that were
--   found among so many. workers: how many serve it that are alive.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.list_flow_versions(flow_slug text default null)
returns table (
  flow_name text, version int, version_slug text, is_current boolean, steps bigint,
  open_runs bigint, workers int, created_at timestamptz, superseded_at timestamptz,
  retired_at timestamptz
)
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  return query
  select
    flow.flow_name::text, flow.version, flow.flow_slug::text,
    flow.flow_slug is not distinct from pgflow._current_version(flow.flow_name),
    (select count(*) from pgflow.steps as step where step.flow_slug = flow.flow_slug),
    pgflow._count_open_runs(flow.flow_slug), pgflow._count_servers(flow.flow_slug),
    flow.created_at, flow.superseded_at, flow.retired_at
  from pgflow.flows as flow
  where list_flow_versions.flow_slug is null
    or flow.flow_slug = any (pgflow._versions_of(list_flow_versions.flow_slug))
  order by flow.flow_name, flow.version desc;
end
$$;

comment on function pgflow.list_flow_versions is
'List the versions of flows, with what is under way of them and who serves them.';
