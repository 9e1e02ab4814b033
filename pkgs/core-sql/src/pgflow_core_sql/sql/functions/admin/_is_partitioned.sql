-- Tell whether partition_by_month has been called.
--
-- Returns: whether it has.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._is_partitioned()
returns boolean
language plpgsql
stable
as $$
begin
  return exists (
    select from pg_catalog.pg_partitioned_table as partitioned
    where partitioned.partrelid = 'pgflow.runs'::regclass
  );
end
$$;

comment on function pgflow._is_partitioned is 'Tell whether partition_by_month has been called.';
