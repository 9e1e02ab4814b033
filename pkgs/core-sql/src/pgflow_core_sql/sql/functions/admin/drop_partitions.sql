-- Drop the next partition whose runs have all ended, and need not be kept, of one table.
--
-- The runs of a month go first, at once, and then what belongs to them. A month with a run that is
-- under way, or is kept longer, stays as it is: partitions says which. One at a time, in a
-- transaction of its own, as create_partitions.
--
-- Parameters:
--   retention: how long runs are kept after their end; NULL is as long as the policy of their flow
--     says, and for ever where there is none.
-- Returns: the partition that was dropped, or some of whose idempotency keys were deleted. Call it
--   again, in another transaction, until that is NULL: then there is none, or somebody else is at
--   it, or the tables are not partitioned.
-- Errors: PF015 retention is negative, or the transaction is not read committed;
--   lock_not_available after 300 ms of waiting for somebody who uses the table.
-- Locks: the table, in access exclusive mode; keys, skipping those that others hold.
-- Writes: the catalog, run_keys.
-- Idempotent: yes.
create or replace function pgflow.drop_partitions(retention interval default null)
returns text
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set lock_timeout to '300ms'
as $$
begin
  if drop_partitions.retention < '0' then
    perform pgflow._refuse_argument(
      'a retention is not negative', format('retention=%s', drop_partitions.retention)
    );
  elsif current_setting('transaction_isolation') <> 'read committed' then
    perform pgflow._refuse_argument(
      'partitions are dropped in a transaction that is read committed',
      format('transaction_isolation=%s', current_setting('transaction_isolation'))
    );
  end if;
  return pgflow._drop_next_partition(drop_partitions.retention, null);
end
$$;

comment on function pgflow.drop_partitions is
'Drop the next partition whose runs have all ended, and need not be kept, of one table.';
