-- Tell whether a text can name a flow or a step.
--
-- Parameters:
--   slug: the text; NULL is no slug.
-- Returns: true for 1 to 128 letters, digits and underscores that do not start with a digit,
--   except the reserved word `run`.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.is_valid_slug(slug text)
returns boolean
language sql
immutable
parallel safe
begin atomic
  select coalesce(
    is_valid_slug.slug ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$' and is_valid_slug.slug <> 'run', false
  );
end;

comment on function pgflow.is_valid_slug is 'Tell whether a text can name a flow or a step.';
