-- Make the next partition that is missing, of one table.
--
-- Parameters:
--   ahead: as in create_partitions.
--   largest: how many bytes a default partition may have where rows of the month have to be moved
--     out of it; NULL is no bound.
-- Returns: as create_partitions.
-- Errors: lock_not_available somebody uses the table.
-- Locks: as create_partitions.
-- Writes: as create_partitions.
-- Idempotent: yes.
create or replace function pgflow._create_next_partition(ahead interval, largest bigint)
returns text
language plpgsql
set enable_seqscan to off
as $$
declare
  v_next record;
begin
  if not pgflow._is_partitioned()
    or not pg_try_advisory_xact_lock(hashtextextended('pgflow partitions', 0)) then
    return null;
  end if;
  with made as materialized (
    select known.table_name, known.first_id, known.end_id from pgflow.partitions as known
  )
  select
    named.name, to_char(month.starts, '"' || named.name || '_"YYYYMM') as partition_name,
    bound.first_id, pgflow._month_bound(month.starts at time zone 'UTC', 1) as end_id
  into v_next
  from pgflow._months_to_partition(_create_next_partition.ahead) as month
  cross join lateral (
    select pgflow._month_bound(month.starts at time zone 'UTC', 0) as first_id
  ) as bound
  cross join unnest(pgflow._partitioned_tables()) with ordinality as named (name, place)
  where not exists (
    select from made
    where made.table_name = named.name and made.end_id > bound.first_id
      and (made.first_id <= bound.first_id or made.first_id is null)
  )
  -- A month that was begun is gone on with: its runs could be dropped without what belongs to them.
  and (
    _create_next_partition.largest is null
    or exists (select from made where made.first_id = bound.first_id)
    or not exists (
      select from pgflow.runs as run
      where run.run_id >= bound.first_id
        and run.run_id < pgflow._month_bound(month.starts at time zone 'UTC', 1)
    )
    or _create_next_partition.largest >= (
      select max(pg_table_size(format('pgflow_partitions.%I', each.name || '_default')::regclass))
      from unnest(pgflow._partitioned_tables()) as each (name)
    )
  )
  -- A month that is over could be dropped as soon as its runs have a partition, so they come last.
  order by month.starts, case when month.is_over then -named.place else named.place end
  limit 1;
  if not found then
    return null;
  end if;
  perform pgflow._add_partition(
    v_next.name, v_next.partition_name, v_next.first_id, v_next.end_id
  );
  return v_next.partition_name;
end
$$;

comment on function pgflow._create_next_partition is
'Make the next partition that is missing, of one table.';
