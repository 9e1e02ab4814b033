-- Turn a JSON array of strings into an array, without the strings of another.
--
-- Parameters:
--   strings: JSON array of strings; NULL or JSON null is empty.
--   without: JSON array of strings to leave out; NULL is empty.
-- Returns: the strings that are left, each once, in order; never NULL.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._text_array(strings jsonb, without jsonb)
returns text []
language sql
immutable
begin atomic
  select coalesce(array_agg(each.value order by each.place), '{}')
  from (
    select
      element.value,
      min(element.ordinality) as place
    from jsonb_array_elements_text(coalesce(nullif(_text_array.strings, 'null'), '[]'))
      with ordinality as element
    where not coalesce(_text_array.without, '[]') ? element.value
    group by element.value
  ) as each;
end;

comment on function pgflow._text_array is
'Turn a JSON array of strings into an array, without the strings of another.';
