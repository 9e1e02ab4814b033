-- List how two shapes of a flow differ in structure; options and schemas never count.
--
-- Parameters:
--   wanted: the shape in code.
--   saved: the shape in the database.
-- Returns: one sentence a difference, in step order; an empty array where there is none.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._compare_flow_shapes(wanted jsonb, saved jsonb)
returns text []
language plpgsql
immutable
as $$
begin
  return (
    with pair as (
      select
        coalesce(wanted.place, saved.place) - 1 as place,
        pgflow._canonical_step(wanted.step) as wanted,
        pgflow._canonical_step(saved.step) as saved
      from jsonb_array_elements(_compare_flow_shapes.wanted -> 'steps')
        with ordinality as wanted (step, place)
      full join jsonb_array_elements(_compare_flow_shapes.saved -> 'steps')
        with ordinality as saved (step, place) on saved.place = wanted.place
    ),
    difference as (
      select pair.place, '' as field,
        case when pair.saved is null
          then format('step %s is new at place %s', pair.wanted ->> 'slug', pair.place)
          else format('step %s at place %s is gone', pair.saved ->> 'slug', pair.place)
        end as sentence
      from pair
      where pair.saved is null or pair.wanted is null
      union all
      select pair.place, field.key,
        format('step %s at place %s: %s is %s in code and %s in the database',
          pair.saved ->> 'slug', pair.place, field.key, field.value, pair.saved -> field.key)
      from pair
      cross join lateral jsonb_each(pair.wanted) as field
      where pair.saved is not null and field.value is distinct from pair.saved -> field.key
    )
    select coalesce(
      array_agg(difference.sentence order by difference.place, difference.field), '{}'
    )
    from difference
  );
end
$$;

comment on function pgflow._compare_flow_shapes is
'List how two shapes of a flow differ in structure; options and schemas never count.';
