-- Drop the next partition that need not be kept, of one table.
--
-- Parameters:
--   retention: as in drop_partitions.
--   largest: how many bytes of runs it may have to read for that; NULL is no bound.
-- Returns: as drop_partitions.
-- Errors: lock_not_available somebody uses the table.
-- Locks: as drop_partitions.
-- Writes: the catalog, run_keys.
-- Idempotent: yes.
create or replace function pgflow._drop_next_partition(retention interval, largest bigint)
returns text
language plpgsql
as $$
declare
  v_before timestamptz := now() - least(
    coalesce(
      _drop_next_partition.retention,
      (select min(policy.retention) from pgflow.retention_policies as policy)
    ),
    '4000 years'
  );
  v_dropped text;
  v_month record;
begin
  if not pgflow._is_partitioned()
    or not pg_try_advisory_xact_lock(hashtextextended('pgflow partitions', 0)) then
    return null;
  end if;
  v_dropped := pgflow._drop_rest_of_month();
  if v_dropped is not null then
    return v_dropped;
  end if;
  for v_month in
    select made.partition_name, made.first_id, made.end_id
    from pgflow.partitions as made
    where made.table_name = 'runs' and made.ends_at <= v_before and made.ends_at <= now()
      and (
        pg_relation_size(format('pgflow_partitions.%I', made.partition_name)::regclass)
          <= _drop_next_partition.largest
        or _drop_next_partition.largest is null
      )
    order by made.end_id
  loop
    if not pgflow._has_open_tasks(v_month.first_id, v_month.end_id)
      and pgflow._is_past_retention(v_month.partition_name, _drop_next_partition.retention)
      and pgflow._drop_month(v_month.partition_name, v_month.first_id, v_month.end_id)
    then
      return v_month.partition_name;
    end if;
  end loop;
  return null;
end
$$;

comment on function pgflow._drop_next_partition is
'Drop the next partition that need not be kept, of one table.';
