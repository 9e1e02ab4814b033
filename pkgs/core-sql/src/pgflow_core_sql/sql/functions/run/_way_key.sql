-- Make the key of the advisory lock by which a session asks to have a run alone.
--
-- Parameters:
--   run_id: the run.
-- Returns: the key.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._way_key(run_id uuid)
returns bigint
language sql
immutable
parallel safe
begin atomic
  select uuid_hash_extended(_way_key.run_id, 7012);
end;

comment on function pgflow._way_key is
'Make the key of the advisory lock by which a session asks to have a run alone.';
