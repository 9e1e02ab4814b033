-- Read which version of the schema is installed.
--
-- Returns: number of the newest migration.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.schema_version()
returns int
language sql
stable
security definer
set search_path to pg_catalog, pg_temp
begin atomic
  select max(migration.version) from pgflow.schema_migrations as migration;
end;

comment on function pgflow.schema_version is
'Read which version of the schema is installed.';
