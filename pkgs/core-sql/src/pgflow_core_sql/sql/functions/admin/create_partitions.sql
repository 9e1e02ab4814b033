-- Make the next partition that is missing for this month and those to come, of one table.
--
-- Also for months that went by while nobody called this, if runs were started in them: these are in
-- the default partition, where no month of them could be dropped.
-- One at a time, in a transaction of its own: whoever held what belongs to one table and waited for
-- another would meet a worker that does the same the other way round.
--
-- Parameters:
--   ahead: for how long from now there are to be partitions.
-- Returns: the partition that was made. Call it again, in another transaction, until that is NULL:
--   then none is missing, or somebody else is at it, or the tables are not partitioned.
-- Errors: PF015 ahead is NULL, negative, or longer than 10 years; lock_not_available after 300 ms
--   of waiting for somebody who uses the table.
-- Locks: the table and its default partition, in access exclusive mode.
-- Writes: the catalog, and rows that move there from the default partition.
-- Idempotent: yes.
create or replace function pgflow.create_partitions(ahead interval default '3 months')
returns text
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set lock_timeout to '300ms'
as $$
declare
  v_next record;
begin
  perform pgflow._require_ahead(create_partitions.ahead);
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
  from pgflow._months_to_partition(create_partitions.ahead) as month
  cross join lateral (
    select pgflow._month_bound(month.starts at time zone 'UTC', 0) as first_id
  ) as bound
  cross join unnest(pgflow._partitioned_tables()) with ordinality as named (name, place)
  where not exists (
    select from made
    where made.table_name = named.name and made.end_id > bound.first_id
      and (made.first_id <= bound.first_id or made.first_id is null)
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

comment on function pgflow.create_partitions is
'Make the next partition that is missing for this month and those to come, of one table.';
