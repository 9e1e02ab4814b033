-- Drop a partition of what belongs to runs, where the partition of the runs themselves is gone.
--
-- Returns: the partition that was dropped; NULL where there is none.
-- Errors: lock_not_available somebody uses the table.
-- Locks: the table, in access exclusive mode.
-- Writes: the catalog.
-- Idempotent: yes.
create or replace function pgflow._drop_rest_of_month()
returns text
language plpgsql
set enable_seqscan to off
as $$
declare
  v_rest record;
begin
  for v_rest in
    with made as materialized (
      select known.table_name, known.partition_name, known.first_id, known.end_id
      from pgflow.partitions as known
    )
    select made.table_name, made.partition_name, made.end_id,
      coalesce(made.first_id, '00000000-0000-0000-0000-000000000000') as first_id
    from made
    where made.table_name <> 'runs' and made.end_id <= pgflow._month_bound(now(), 0)
      and not exists (
        select from made as of_runs
        where of_runs.table_name = 'runs' and of_runs.end_id = made.end_id
      )
    order by made.end_id, array_position(pgflow._partitioned_tables(), made.table_name)
  loop
    execute format('lock table pgflow.%I in access exclusive mode', v_rest.table_name);
    -- A starter may have given an id of that month since: that run is in the default partition.
    if not exists (
      select from pgflow.runs as run
      where run.run_id >= v_rest.first_id and run.run_id < v_rest.end_id
    ) then
      execute format(
        $ddl$
          alter table pgflow.%1$I detach partition pgflow_partitions.%2$I;
          drop table pgflow_partitions.%2$I;
        $ddl$,
        v_rest.table_name, v_rest.partition_name
      );
      return v_rest.partition_name;
    end if;
  end loop;
  return null;
end
$$;

comment on function pgflow._drop_rest_of_month is
'Drop a partition of what belongs to runs, where the partition of the runs themselves is gone.';
