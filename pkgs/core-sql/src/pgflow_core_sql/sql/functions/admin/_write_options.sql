-- Write the clause of create table that gives a table the storage options of another.
--
-- Parameters:
--   like_table: the table that has them.
-- Returns: the clause; empty where it has none.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._write_options(like_table regclass)
returns text
language sql
stable
begin atomic
  select coalesce('with (' || array_to_string(class.reloptions, ', ') || ')', '')
  from pg_catalog.pg_class as class
  where class.oid = _write_options.like_table;
end;

comment on function pgflow._write_options is
'Write the clause of create table that gives a table the storage options of another.';
