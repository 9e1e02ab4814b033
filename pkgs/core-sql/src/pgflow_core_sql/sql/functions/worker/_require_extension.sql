-- Raise unless an extension is there, known by one of its functions.
--
-- Parameters:
--   extension_name: the extension, for the message.
--   schema_name, function_name: the two parts of the function's name.
-- Returns: nothing.
-- Errors: PF014 the extension is not there.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_extension(
  extension_name text, schema_name text, function_name text
)
returns void
language plpgsql
as $$
begin
  if not pgflow._has_function(
    _require_extension.schema_name, _require_extension.function_name
  ) then
    raise exception using
      errcode = 'PF014',
      message = format(
        'this database does not have the extension %s', _require_extension.extension_name
      ),
      detail = format('extension_name=%s', _require_extension.extension_name),
      hint = format(
        'Run "create extension %s" where the server has it; pgflow does without it otherwise.',
        _require_extension.extension_name
      );
  end if;
end
$$;

comment on function pgflow._require_extension is
'Raise unless an extension is there, known by one of its functions.';
