-- Lock a flow with all its versions, which nobody starts, compiles or retires then.
--
-- Parameters:
--   flow_name: the name of the flow.
-- Returns: the slugs of its versions, the oldest first; NULL where there is no such flow.
-- Locks: the row of the first version, then those of the others (for update). It waits for starts
--   that are under way.
-- Idempotent: yes.
create or replace function pgflow._lock_versions(flow_name text)
returns text []
language plpgsql
as $$
begin
  perform from pgflow.flows as flow
  where flow.flow_slug = _lock_versions.flow_name
  for update;
  -- A statement of its own: whoever held the first may have made another.
  return (
    -- Only what is locked: a flow that somebody deleted meanwhile may by now be there anew.
    select array_agg(locked.flow_slug order by locked.version)
    from (
      select flow.flow_slug, flow.version
      from pgflow.flows as flow
      where flow.flow_name = _lock_versions.flow_name
      order by flow.version
      for update
    ) as locked
  );
end
$$;

comment on function pgflow._lock_versions is
'Lock a flow with all its versions, which nobody starts, compiles or retires then.';
