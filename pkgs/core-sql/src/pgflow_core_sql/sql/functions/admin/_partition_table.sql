-- Put a partitioned table in the place of a table, which becomes its first partition.
--
-- Parameters:
--   name: the table.
--   end_id: the smallest id that is not in the first partition. Rows with higher ids, which
--     starters gave, move to the default partition.
-- Returns: nothing.
-- Locks: the table, in access exclusive mode.
-- Writes: the catalog, and rows that move.
-- Idempotent: no.
create or replace function pgflow._partition_table(name text, end_id uuid)
returns void
language plpgsql
as $$
declare
  v_old regclass := format('pgflow.%I', _partition_table.name);
  v_rights text := pgflow._write_rights(
    'pg_catalog.pg_class'::regclass, v_old, 'table', format('pgflow.%I', _partition_table.name)
  );
  v_options text := pgflow._write_options(v_old);
  v_indexes text[];
  v_index record;
begin
  for v_index in
    select known.indexrelid::regclass::text as identity, class.relname as name,
      pg_get_indexdef(known.indexrelid) as definition,
      made.conname as constraint_name, pg_get_constraintdef(made.oid) as constraint_definition
    from pg_catalog.pg_index as known
    join pg_catalog.pg_class as class on class.oid = known.indexrelid
    left join pg_catalog.pg_constraint as made
      on made.conindid = known.indexrelid and made.conrelid = v_old
    where known.indrelid = v_old
  loop
    v_indexes := v_indexes || case
      when v_index.constraint_name is null then v_index.definition
      else format(
        'alter table pgflow.%I add constraint %I %s', _partition_table.name,
        v_index.constraint_name, v_index.constraint_definition
      )
    end;
    execute format('alter index %s rename to %I', v_index.identity, v_index.name || '_first');
  end loop;
  execute format(
    $ddl$
      alter table pgflow.%1$I set schema pgflow_partitions;
      alter table pgflow_partitions.%1$I rename to %2$I;
      create table pgflow.%1$I (
        like pgflow_partitions.%2$I including defaults including constraints
      ) partition by range (run_id);
      create table pgflow_partitions.%3$I (
        like pgflow.%1$I including defaults including constraints
      ) %4$s;
      with moved as (
        delete from pgflow_partitions.%2$I as old where old.run_id >= %5$L returning old.*
      )
      insert into pgflow_partitions.%3$I select moved.* from moved;
    $ddl$,
    _partition_table.name, _partition_table.name || '_first', _partition_table.name || '_default',
    v_options, _partition_table.end_id
  );
  execute array_to_string(v_indexes, '; ');
  execute format(
    $ddl$
      alter table pgflow.%1$I attach partition pgflow_partitions.%2$I
      for values from (minvalue) to (%4$L);
      alter table pgflow.%1$I attach partition pgflow_partitions.%3$I default;
    $ddl$,
    _partition_table.name, _partition_table.name || '_first', _partition_table.name || '_default',
    _partition_table.end_id
  );
  execute v_rights;
end
$$;

comment on function pgflow._partition_table is
'Put a partitioned table in the place of a table, which becomes its first partition.';
