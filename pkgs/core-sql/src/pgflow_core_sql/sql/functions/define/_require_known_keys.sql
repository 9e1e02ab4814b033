-- Raise where a shape has a key that means nothing here, such as a misspelt one.
--
-- Parameters:
--   flow_slug, shape: as in ensure_flow_compiled.
-- Returns: nothing.
-- Errors: PF005 with the key and what it is a key of; 22023 where no object is what should be one.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_known_keys(flow_slug text, shape jsonb)
returns void
language plpgsql
immutable
as $$
declare
  v_found record;
begin
  select part.name, given.key into v_found
  from (
    select 0 as place, 'the shape' as name, _require_known_keys.shape as value,
      array['flow_slug', 'options', 'inputSchema', 'steps'] as known
    union all
    select 0, 'the options of the flow', _require_known_keys.shape -> 'options',
      array['maxAttempts', 'baseDelay', 'timeout', 'maxDelay', 'jitter', 'backoff']
    union all
    select each.place, kind.name, kind.value, kind.known
    from jsonb_array_elements(_require_known_keys.shape -> 'steps') with ordinality
      as each (step, place)
    cross join lateral (
      values
      (
        format('step %s', each.step ->> 'slug'), each.step,
        array[
          'slug', 'stepType', 'dependencies', 'after', 'mapOver', 'takesFlowInput', 'whenUnmet',
          'whenExhausted', 'requiredInputPattern', 'forbiddenInputPattern', 'options',
          'outputSchema'
        ]
      ),
      (
        format('the options of step %s', each.step ->> 'slug'), each.step -> 'options',
        array['maxAttempts', 'baseDelay', 'timeout', 'startDelay', 'maxDelay', 'jitter', 'backoff']
      )
    ) as kind (name, value, known)
  ) as part
  cross join lateral jsonb_object_keys(coalesce(nullif(part.value, 'null'), '{}')) as given (key)
  where given.key <> all (part.known)
  order by part.place, part.name, given.key
  limit 1;
  if found then
    raise exception using
      errcode = 'PF005',
      message = format('the shape of flow %s cannot be read: %s has no %s',
        _require_known_keys.flow_slug, v_found.name, v_found.key),
      detail = format('flow_slug=%s', _require_known_keys.flow_slug),
      hint = 'is it misspelt, or from a newer pgflow? then run pgflow install';
  end if;
end
$$;

comment on function pgflow._require_known_keys is
'Raise where a shape has a key that means nothing here, such as a misspelt one.';
