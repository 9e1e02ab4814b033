-- Raise where a shape was saved as another one, which it would differ from at each comparison.
--
-- Parameters:
--   flow_slug: the version that was made of it.
--   shape: the shape, as ensure_flow_compiled takes it.
-- Returns: nothing.
-- Errors: PF005 with what differs: a pattern without a value, say, or a step that is named twice.
-- Locks: none; the caller holds the row of the flow.
-- Idempotent: yes.
create or replace function pgflow._require_saved_as_given(flow_slug text, shape jsonb)
returns void
language plpgsql
as $$
declare
  v_differences text[] := pgflow._compare_flow_shapes(
    _require_saved_as_given.shape, pgflow._get_flow_shape(_require_saved_as_given.flow_slug)
  );
begin
  if cardinality(v_differences) > 0 then
    raise exception using
      errcode = 'PF005',
      message = format('the shape of flow %s cannot be saved as it is: %s',
        split_part(_require_saved_as_given.flow_slug, '@', 1),
        array_to_string(v_differences, '; ')),
      detail = format('flow_slug=%s', split_part(_require_saved_as_given.flow_slug, '@', 1)),
      hint = 'a pattern is {"defined": false} or {"defined": true, "value": {...}}, and each step '
        'is named once';
  end if;
end
$$;

comment on function pgflow._require_saved_as_given is
'Raise where a shape was saved as another one, which it would differ from at each comparison.';
