-- Make a partition that is missing, or drop one that is over, in a worker's sweep.
--
-- A sweep has to end in time for the next heartbeat. So partitions with more than 256 MB of runs
-- are left to whoever calls drop_partitions, and to the deletion of single runs; and a month whose
-- rows have to be moved from a default partition of more than 64 MB to whoever calls
-- create_partitions. A sweep that was broken off would begin anew every time, and hold all up.
--
-- Returns: nothing. Where somebody uses the table, the next sweep tries again.
-- Locks: as create_partitions and drop_partitions.
-- Writes: as create_partitions and drop_partitions.
-- Idempotent: yes.
create or replace function pgflow._keep_partitions()
returns void
language plpgsql
set lock_timeout to '300ms'
as $$
begin
  if pgflow._is_partitioned()
    and pgflow._create_next_partition('3 months', 64 * 1024 * 1024) is null
    and current_setting('transaction_isolation') = 'read committed' then
    perform pgflow._drop_next_partition(null, 256 * 1024 * 1024);
  end if;
exception
  when lock_not_available then null;
end
$$;

comment on function pgflow._keep_partitions is
'Make a partition that is missing, or drop one that is over, in a worker''s sweep.';
