-- Make a partition that is missing, or drop one that is over, in a worker's sweep.
--
-- A sweep has to end in time for the next heartbeat, so partitions with more than 256 MB of runs
-- are left to whoever calls drop_partitions, and to the deletion of single runs.
--
-- Returns: nothing. Where somebody uses the table, the next sweep tries again.
-- Locks: as create_partitions and drop_partitions.
-- Writes: as create_partitions and drop_partitions.
-- Calls: create_partitions.
-- Idempotent: yes.
create or replace function pgflow._keep_partitions()
returns void
language plpgsql
set lock_timeout to '300ms'
as $$
begin
  if pgflow._is_partitioned() and pgflow.create_partitions() is null
    and current_setting('transaction_isolation') = 'read committed' then
    perform pgflow._drop_next_partition(null, 256 * 1024 * 1024);
  end if;
exception
  when lock_not_available then null;
end
$$;

comment on function pgflow._keep_partitions is
'Make a partition that is missing, or drop one that is over, in a worker''s sweep.';
