-- The schema, and the table that says which migrations it has seen.

create schema if not exists pgflow;

comment on schema pgflow is 'Workflow orchestration that lives in this database.';

create table if not exists pgflow.schema_migrations (
  version int primary key,
  name text not null,
  digest text not null,
  applied_at timestamptz not null default now()
);

comment on table pgflow.schema_migrations is 'One row a migration that was applied.';
comment on column pgflow.schema_migrations.version is
'Number of the migration; 0 is for functions, views and rights.';
comment on column pgflow.schema_migrations.name is 'Its file.';
comment on column pgflow.schema_migrations.digest is
'SHA-256 of the file, or of the files, in hex.';
comment on column pgflow.schema_migrations.applied_at is
'When it was applied, or last changed.';
