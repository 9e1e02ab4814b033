-- List the versions that a slug stands for where runs are looked for.
--
-- Parameters:
--   flow_slug: the name of a flow for all of its versions, name@2 for one; NULL is NULL.
-- Returns: the slugs of the versions, the oldest first; NULL where there are none.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._versions_of(flow_slug text)
returns text []
language plpgsql
stable
as $$
begin
  return (
    select array_agg(flow.flow_slug order by flow.version)
    from pgflow.flows as flow
    where flow.flow_name = split_part(_versions_of.flow_slug, '@', 1)
      and _versions_of.flow_slug in (flow.flow_name, flow.flow_name || '@' || flow.version)
  );
end
$$;

comment on function pgflow._versions_of is
'List the versions that a slug stands for where runs are looked for.';
