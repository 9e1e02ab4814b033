-- Give a value as a message tells it: shortened, and visible where it is empty or NULL.
--
-- Parameters:
--   value: a name or an id.
-- Returns: the text.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._told(value text)
returns text
language sql
immutable
parallel safe
begin atomic
  select case
    when _told.value <> '' then left(_told.value, 200) else quote_nullable(_told.value)
  end;
end;

comment on function pgflow._told is
'Give a value as a message tells it: shortened, and visible where it is empty or NULL.';
