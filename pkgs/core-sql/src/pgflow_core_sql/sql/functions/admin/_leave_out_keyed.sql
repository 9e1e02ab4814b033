-- Delete the idempotency keys of runs, and leave out the runs whose keys somebody holds.
--
-- A start holds its key and may go on to the run; whoever holds the run must not wait for the key.
--
-- Parameters:
--   run_ids: the runs, which the caller holds for update.
-- Returns: those without a key now; never NULL.
-- Locks: the keys, skipping those that others hold.
-- Writes: run_keys.
-- Idempotent: yes.
create or replace function pgflow._leave_out_keyed(run_ids uuid [])
returns uuid []
language plpgsql
as $$
begin
  delete from pgflow.run_keys as key
  where key.ctid = any (array(
    select free.ctid
    from pgflow.run_keys as free
    where free.run_id = any (_leave_out_keyed.run_ids)
    for update skip locked
  ));
  return array(
    select listed.run_id
    from unnest(_leave_out_keyed.run_ids) as listed (run_id)
    where not exists (select from pgflow.run_keys as key where key.run_id = listed.run_id)
  );
end
$$;

comment on function pgflow._leave_out_keyed is
'Delete the idempotency keys of runs, and leave out the runs whose keys somebody holds.';
