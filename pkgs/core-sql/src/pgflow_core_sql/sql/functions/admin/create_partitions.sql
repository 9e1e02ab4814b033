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
begin
  perform pgflow._require_ahead(create_partitions.ahead);
  return pgflow._create_next_partition(create_partitions.ahead, null);
end
$$;

comment on function pgflow.create_partitions is
'Make the next partition that is missing for this month and those to come, of one table.';
