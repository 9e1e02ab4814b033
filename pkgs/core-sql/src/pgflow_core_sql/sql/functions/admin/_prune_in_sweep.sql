-- Prune by the policies in a worker's sweep, if that is the workers' to do and it is time.
--
-- In small steps: the sweep has to end in time for the next heartbeat. As long as there is more to
-- delete, the next sweep goes on; after that it is looked at once a minute, and a partition is made
-- or dropped where one has to be.
--
-- Parameters:
--   quantity: how many runs at most.
-- Returns: nothing.
-- Locks: as prune_by_policy and _keep_partitions; the caller is the only one that sweeps.
-- Writes: maintenance, and as prune_by_policy and _keep_partitions.
-- Calls: prune_by_policy.
-- Idempotent: yes.
create or replace function pgflow._prune_in_sweep(quantity int)
returns void
language plpgsql
as $$
begin
  perform from pgflow.maintenance as maintenance
  where maintenance.done_by = 'workers' and maintenance.due_at <= now()
  for update skip locked;
  if found and pgflow.prune_by_policy(_prune_in_sweep.quantity) = 0 then
    update pgflow.maintenance as maintenance
    set due_at = now() + interval '1 minute'
    where maintenance.is_only;
    perform pgflow._keep_partitions();
  end if;
end
$$;

comment on function pgflow._prune_in_sweep is
'Prune by the policies in a worker''s sweep, if that is the workers'' to do and it is time.';
