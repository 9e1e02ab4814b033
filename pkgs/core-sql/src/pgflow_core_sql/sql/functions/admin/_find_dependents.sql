-- Find what depends on the tables that are to be partitioned.
--
-- A table cannot become a partitioned one: another takes its name, and whatever knows the table
-- by its oid, as views and the types of functions do, has to be made anew.
--
-- Returns: a row for each, as pg_depend names it: of those that others depend on, depth is lower.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._find_dependents()
returns table (classid oid, objid oid, depth int)
language plpgsql
stable
as $$
#variable_conflict use_column
begin
  return query
  with recursive target as (
    select class.oid
    from unnest(pgflow._partitioned_tables()) as named (name)
    join pg_catalog.pg_class as class
      on class.relname = named.name and class.relnamespace = 'pgflow'::regnamespace
  ),
  reached (classid, objid, depth) as (
    select 'pg_catalog.pg_class'::regclass::oid, target.oid, 0
    from target
    union
    select made.classid, made.objid, reached.depth + 1
    from reached
    cross join lateral (
      select reached.classid, reached.objid
      union all
      -- The type of its rows, and arrays of them.
      select 'pg_catalog.pg_type'::regclass::oid, type.oid
      from pg_catalog.pg_class as class
      join pg_catalog.pg_type as type
        on type.oid = class.reltype or (type.typelem = class.reltype and class.reltype <> 0)
      where reached.classid = 'pg_catalog.pg_class'::regclass and class.oid = reached.objid
    ) as known
    join pg_catalog.pg_depend as link
      on link.refclassid = known.classid and link.refobjid = known.objid and link.deptype = 'n'
    left join pg_catalog.pg_rewrite as rule
      on link.classid = 'pg_catalog.pg_rewrite'::regclass and rule.oid = link.objid
    cross join lateral (
      select
        case
          when rule.oid is null then link.classid else 'pg_catalog.pg_class'::regclass::oid
        end as classid,
        coalesce(rule.ev_class, link.objid) as objid
    ) as made
    where made.objid <> reached.objid and not exists (
      select from pg_catalog.pg_constraint as own
      where link.classid = 'pg_catalog.pg_constraint'::regclass and own.oid = link.objid
        and own.conrelid in (select target.oid from target)
    )
  )
  select reached.classid, reached.objid, max(reached.depth)
  from reached
  where reached.depth > 0
  group by reached.classid, reached.objid;
end
$$;

comment on function pgflow._find_dependents is
'Find what depends on the tables that are to be partitioned.';
