-- Find what others have put on the tables that are to be partitioned, and would be lost.
--
-- Returns: a row for each policy, trigger, and publication, as pg_depend names it.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._find_additions()
returns table (classid oid, objid oid)
language plpgsql
stable
as $$
#variable_conflict use_column
begin
  return query
  with target as (
    select class.oid
    from unnest(pgflow._partitioned_tables()) as named (name)
    join pg_catalog.pg_class as class
      on class.relname = named.name and class.relnamespace = 'pgflow'::regnamespace
  )
  select 'pg_catalog.pg_policy'::regclass::oid, policy.oid
  from target
  join pg_catalog.pg_policy as policy on policy.polrelid = target.oid
  union all
  -- setup_realtime makes its own again.
  select 'pg_catalog.pg_trigger'::regclass::oid, made.oid
  from target
  join pg_catalog.pg_trigger as made on made.tgrelid = target.oid
  where not made.tgisinternal and made.tgname not like 'note\_events\_of\_%'
  union all
  select 'pg_catalog.pg_publication_rel'::regclass::oid, published.oid
  from target
  join pg_catalog.pg_publication_rel as published on published.prrelid = target.oid;
end
$$;

comment on function pgflow._find_additions is
'Find what others have put on the tables that are to be partitioned, and would be lost.';
