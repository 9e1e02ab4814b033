-- Count the workers that serve a version of a flow.
--
-- Parameters:
--   flow_slug: the version.
-- Returns: how many are alive and go on claiming.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._count_servers(flow_slug text)
returns int
language plpgsql
as $$
begin
  return (
    select count(*)
    from pgflow.workers as worker
    where worker.stopped_at is null and worker.deprecated_at is null
      and _count_servers.flow_slug = any (worker.flow_slugs) and not pgflow._is_lost(worker)
  );
end
$$;

comment on function pgflow._count_servers is 'Count the workers that serve a version of a flow.';
