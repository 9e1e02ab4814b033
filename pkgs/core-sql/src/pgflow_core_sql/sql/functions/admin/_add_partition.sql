-- Add the partition of a month to a table.
--
-- The table itself is locked, and before its default partition. Whoever only waited for that would
-- have looked up the table's partitions already: an INSERT would be refused, as its row does not
-- belong there any more, and a statement that is being planned would not see the rows that moved.
--
-- Parameters:
--   table_name: the table.
--   partition_name: the name of the partition.
--   first_id, end_id: the smallest id in it, and the smallest after it.
-- Returns: nothing.
-- Locks: the table and its default partition, in access exclusive mode.
-- Writes: the catalog, and rows that move there from the default partition.
-- Idempotent: no.
create or replace function pgflow._add_partition(
  table_name text, partition_name text, first_id uuid, end_id uuid
)
returns void
language plpgsql
as $$
begin
  execute format(
    $ddl$
      lock table only pgflow.%1$I, pgflow_partitions.%2$I in access exclusive mode;
      create table pgflow_partitions.%3$I (
        like pgflow.%1$I including defaults including constraints
      ) %4$s;
      with moved as (
        delete from pgflow_partitions.%2$I as other
        where other.run_id >= %5$L and other.run_id < %6$L
        returning other.*
      )
      insert into pgflow_partitions.%3$I select moved.* from moved;
      alter table pgflow.%1$I attach partition pgflow_partitions.%3$I
      for values from (%5$L) to (%6$L);
    $ddl$,
    _add_partition.table_name, _add_partition.table_name || '_default',
    _add_partition.partition_name,
    pgflow._write_options(
      format('pgflow_partitions.%I', _add_partition.table_name || '_default')::regclass
    ),
    _add_partition.first_id, _add_partition.end_id
  );
end
$$;

comment on function pgflow._add_partition is 'Add the partition of a month to a table.';
