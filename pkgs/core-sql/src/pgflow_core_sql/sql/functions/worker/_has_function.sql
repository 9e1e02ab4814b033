-- Tell whether a schema of an extension has a function of a name, whatever its parameters.
--
-- Parameters:
--   schema_name, function_name: the two parts of its name.
-- Returns: true or false.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._has_function(schema_name text, function_name text)
returns boolean
language sql
stable
begin atomic
  select count(*) > 0
  from pg_catalog.pg_proc as known
  join pg_catalog.pg_namespace as namespace on namespace.oid = known.pronamespace
  where namespace.nspname = _has_function.schema_name
    and known.proname = _has_function.function_name;
end;

comment on function pgflow._has_function is
'Tell whether a schema of an extension has a function of a name, whatever its parameters.';
