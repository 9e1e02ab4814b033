-- Write a step of a shape in the one form in which two can be compared.
--
-- Parameters:
--   step: the step; fields that are left out or null have their defaults, dependencies any order,
--     and one that is named again, or only in after, is one.
-- Returns: the step with every structural field and nothing else; NULL for NULL.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._canonical_step(step jsonb)
returns jsonb
language sql
immutable
begin atomic
  select case when _canonical_step.step is not null then jsonb_build_object(
    'slug', _canonical_step.step -> 'slug',
    'stepType', coalesce(_canonical_step.step ->> 'stepType', 'single'),
    'dependencies', edge.all_slugs,
    'after', edge.after_slugs,
    'mapOver', case when _canonical_step.step ->> 'stepType' = 'map' then coalesce(
      _canonical_step.step ->> 'mapOver', edge.first_delivered, 'run'
    ) end,
    'whenUnmet', coalesce(_canonical_step.step ->> 'whenUnmet', 'skip'),
    'whenExhausted', coalesce(_canonical_step.step ->> 'whenExhausted', 'fail'),
    'requiredInputPattern', coalesce(
      nullif(_canonical_step.step -> 'requiredInputPattern', 'null'), '{"defined": false}'
    ),
    'forbiddenInputPattern', coalesce(
      nullif(_canonical_step.step -> 'forbiddenInputPattern', 'null'), '{"defined": false}'
    )
  ) end
  from (
    select
      coalesce(jsonb_agg(dep.slug order by dep.slug collate "C"), '[]') as all_slugs,
      coalesce(
        jsonb_agg(dep.slug order by dep.slug collate "C")
          filter (where _canonical_step.step -> 'after' ? dep.slug),
        '[]'
      ) as after_slugs,
      min(dep.slug collate "C")
        filter (where not coalesce(_canonical_step.step -> 'after', '[]') ? dep.slug)
        as first_delivered
    from (
      select jsonb_array_elements_text(
        coalesce(nullif(_canonical_step.step -> 'dependencies', 'null'), '[]')
      )
      union
      select jsonb_array_elements_text(
        coalesce(nullif(_canonical_step.step -> 'after', 'null'), '[]')
      )
    ) as dep (slug)
  ) as edge;
end;

comment on function pgflow._canonical_step is
'Write a step of a shape in the one form in which two can be compared.';
