-- Drop the partition of a month of runs, if nothing in it is under way.
--
-- Parameters:
--   partition_name, first_id, end_id: as in partitions. The caller has seen that its runs have
--     ended, and are not kept any longer.
-- Returns: whether something was done: its idempotency keys were deleted, or it was dropped.
-- Errors: lock_not_available somebody uses the runs.
-- Locks: keys, skipping those that others hold; runs, in access exclusive mode.
-- Writes: run_keys, the catalog.
-- Idempotent: no.
create or replace function pgflow._drop_month(partition_name text, first_id uuid, end_id uuid)
returns boolean
language plpgsql
as $$
declare
  v_keys record := pgflow._delete_keys_in_range(_drop_month.first_id, _drop_month.end_id);
begin
  if v_keys.deleted > 0 or v_keys.is_left then
    return v_keys.deleted > 0;
  end if;
  lock table pgflow.runs in access exclusive mode;
  -- Asked again under the lock: meanwhile somebody may have repeated a run, or started one with an
  -- id of their own. Whoever did has ended, for they held the table.
  if pgflow._has_open_tasks(_drop_month.first_id, _drop_month.end_id) or (
    pgflow._delete_keys_in_range(_drop_month.first_id, _drop_month.end_id)
  ).is_left then
    return false;
  end if;
  execute format(
    $ddl$
      alter table pgflow.runs detach partition pgflow_partitions.%1$I;
      drop table pgflow_partitions.%1$I;
    $ddl$,
    _drop_month.partition_name
  );
  return true;
end
$$;

comment on function pgflow._drop_month is
'Drop the partition of a month of runs, if nothing in it is under way.';
