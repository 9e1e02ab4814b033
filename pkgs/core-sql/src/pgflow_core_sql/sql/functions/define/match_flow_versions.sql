-- Tell which versions of a flow a worker can serve whose handlers were written for a shape.
--
-- Parameters:
--   flow_slug: the name of the flow.
--   shape: the shape in code.
-- Returns: the versions that are not retired, the youngest first, and in any case the one that has
--   the structure of the shape. is_current: whether new runs take it. is_own: whether its structure
--   is that of the shape. misfits: why the handlers cannot serve it, one sentence each; empty for
--   the own version, and for older ones whose handlers would be called in the same way. has_runs:
--   whether it has runs that have not ended. is_served: whether a worker serves it that is alive.
--   is_retired: whether it is retired, as only the own version can be. No row where there is no
--   such flow.
-- Errors: PF005 the shape cannot be read.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.match_flow_versions(flow_slug text, shape jsonb)
returns table (
  version_slug text, version int, is_current boolean, is_own boolean, misfits text [],
  has_runs boolean, is_served boolean, is_retired boolean
)
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_own text;
  v_current text := pgflow._current_version(match_flow_versions.flow_slug);
begin
  v_own := pgflow._find_version(match_flow_versions.flow_slug, match_flow_versions.shape);
  return query
  select
    flow.flow_slug::text, flow.version, flow.flow_slug is not distinct from v_current,
    flow.flow_slug is not distinct from v_own,
    case
      when flow.flow_slug = v_own then '{}'
      when flow.version > own.version then array[
        'it was made after the version of this code, and no worker serves versions after its own'
      ]
      else pgflow._handler_misfits(flow.flow_slug, match_flow_versions.shape)
    end,
    pgflow._count_open_runs(flow.flow_slug, 1) > 0,
    pgflow._count_servers(flow.flow_slug) > 0,
    flow.retired_at is not null
  from pgflow.flows as flow
  left join pgflow.flows as own on own.flow_slug = v_own
  where flow.flow_name = match_flow_versions.flow_slug
    and (flow.retired_at is null or flow.flow_slug = v_own)
  order by flow.version desc;
exception when data_exception then
  raise exception using
    errcode = 'PF005',
    message = format('the shape of flow %s cannot be read: %s',
      match_flow_versions.flow_slug, sqlerrm),
    detail = format('flow_slug=%s', match_flow_versions.flow_slug);
end
$$;

comment on function pgflow.match_flow_versions is
'Tell which versions of a flow a worker can serve whose handlers were written for a shape.';
