-- Partition the tables that have rows of runs, by the month in which the run was started.
--
-- For whoever owns the schema, once, while nothing else uses it: workers and clients wait until
-- this is committed. What is there becomes the first partition, which ends with this month. Months
-- are those of UTC.
--
-- Parameters:
--   ahead: for how long from now partitions are made at once.
-- Returns: how many partitions a table has; 0 where the tables are partitioned already.
-- Errors: PF015 ahead is NULL, negative, or longer than 10 years; PF019 something that is not of
--   this schema depends on one of the tables.
-- Locks: the tables, in access exclusive mode.
-- Writes: the catalog, and rows whose ids starters gave.
-- Idempotent: yes.
create or replace function pgflow.partition_by_month(ahead interval default '3 months')
returns int
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_name text;
  v_drop text[];
  v_make text[];
begin
  perform pgflow._require_ahead(partition_by_month.ahead);
  perform pg_advisory_xact_lock(hashtextextended('pgflow migrate', 0));
  if pgflow._is_partitioned() then
    return 0;
  end if;
  foreach v_name in array pgflow._partitioned_tables() loop
    execute format('lock table pgflow.%I in access exclusive mode', v_name);
  end loop;
  perform pgflow._refuse_partitioning();
  select
    array_agg(format('drop %s %s', object.type, object.identity) order by dependent.depth desc),
    array_agg(
      concat_ws(e';\n', definition.text, pgflow._write_rights(
        dependent.classid, dependent.objid, object.type, object.identity
      ))
      order by dependent.depth
    )
  into v_drop, v_make
  from pgflow._find_dependents() as dependent
  cross join lateral pg_identify_object(dependent.classid, dependent.objid, 0) as object
  cross join lateral (
    select case object.type
      when 'view' then format(
        'create view %s as %s', object.identity,
        rtrim(pg_get_viewdef(dependent.objid), ';')
      )
      else pg_get_functiondef(dependent.objid)
    end as text
  ) as definition;
  create schema if not exists pgflow_partitions;
  execute array_to_string(v_drop, '; ');
  foreach v_name in array pgflow._partitioned_tables() loop
    perform pgflow._partition_table(v_name, pgflow._month_bound(now(), 1));
  end loop;
  execute array_to_string(v_make, e';\n');
  perform pgflow.setup_realtime();
  while pgflow.create_partitions(partition_by_month.ahead) is not null loop
  end loop;
  return (select count(*) from pgflow.partitions as made where made.table_name = 'runs');
end
$$;

comment on function pgflow.partition_by_month is
'Partition the tables that have rows of runs, by the month in which the run was started.';
