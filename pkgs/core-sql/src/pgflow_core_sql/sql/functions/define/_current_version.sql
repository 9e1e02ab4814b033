-- Find the version of a flow that new runs take.
--
-- Parameters:
--   flow_name: the name of the flow.
-- Returns: the slug of the version; NULL where there is no such flow, or all of it is retired.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._current_version(flow_name text)
returns text
language plpgsql
stable
as $$
begin
  return (
    select coalesce(
      flow.current_slug, case when flow.retired_at is null then flow.flow_slug end
    )
    from pgflow.flows as flow
    where flow.flow_slug = _current_version.flow_name
  );
end
$$;

comment on function pgflow._current_version is 'Find the version of a flow that new runs take.';
