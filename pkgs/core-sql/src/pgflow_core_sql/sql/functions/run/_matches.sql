-- Tell whether what a dependent step is asked of matches a pattern.
--
-- It has to contain the pattern, except that an empty object as the pattern of a dependency asks
-- only whether the dependency completed, of whatever type its output is: a step that forbids
-- {"dep": {}} runs where dep was skipped, and nowhere else.
--
-- Parameters:
--   asked: {dependency: output} over the completed dependencies, and "run": flow input.
--   pattern: a JSON object.
-- Returns: true or false.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._matches(asked jsonb, pattern jsonb)
returns boolean
language plpgsql
immutable
as $$
begin
  return (
    select _matches.asked @> coalesce(parts.contained, '{}')
      and _matches.asked ?& coalesce(parts.present, '{}')
    from (
      select
        jsonb_object_agg(part.key, part.value) filter (where part.value <> '{}') as contained,
        array_agg(part.key) filter (where part.value = '{}') as present
      from jsonb_each(_matches.pattern) as part
    ) as parts
  );
end
$$;

comment on function pgflow._matches is
'Tell whether what a dependent step is asked of matches a pattern.';
