-- Delete idempotency keys of the runs with ids in a range, a bounded number at a time.
--
-- Parameters:
--   first_id, end_id: the smallest id in the range, NULL for no bound, and the smallest after it.
-- Returns: how many were deleted, and whether any is left; one that somebody holds stays.
-- Locks: the keys, skipping those that others hold.
-- Writes: run_keys.
-- Idempotent: yes.
create or replace function pgflow._delete_keys_in_range(
  first_id uuid, end_id uuid, out deleted int, out is_left boolean
)
language plpgsql
set enable_seqscan to off
as $$
declare
  v_first uuid := coalesce(
    _delete_keys_in_range.first_id, '00000000-0000-0000-0000-000000000000'
  );
begin
  delete from pgflow.run_keys as key
  where key.ctid = any (array(
    select free.ctid
    from pgflow.run_keys as free
    where free.run_id >= v_first and free.run_id < _delete_keys_in_range.end_id
    order by free.run_id
    limit 10000
    for update skip locked
  ));
  get diagnostics _delete_keys_in_range.deleted = row_count;
  _delete_keys_in_range.is_left := exists (
    select from pgflow.run_keys as key
    where key.run_id >= v_first and key.run_id < _delete_keys_in_range.end_id
  );
end
$$;

comment on function pgflow._delete_keys_in_range is
'Delete idempotency keys of the runs with ids in a range, a bounded number at a time.';
