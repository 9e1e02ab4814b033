-- Raise for the reason that runs were not written.
--
-- Parameters:
--   flow_slug: the flow as it was named.
--   version_slug: the version that was to be started.
--   inputs, run_ids: one of each a run.
--   places: as in _start_runs.
-- Returns: nothing.
-- Errors: PF006 an input is NULL, or no array where a map needs one. PF009 a run with that id
--   exists.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._raise_not_started(
  flow_slug text, version_slug text, inputs jsonb [], run_ids uuid [], places int []
)
returns void
language plpgsql
as $$
declare
  v_map text;
  v_wrong record;
begin
  select step.step_slug into v_map
  from pgflow.steps as step
  where step.flow_slug = _raise_not_started.version_slug and step.map_over = 'run'
  order by step.step_index
  limit 1;
  select coalesce(_raise_not_started.places[element.place], element.place) - 1 as place,
    element.input is null as is_null
  into v_wrong
  from unnest(_raise_not_started.inputs) with ordinality as element (input, place)
  where element.input is null or (v_map is not null and jsonb_typeof(element.input) <> 'array')
  order by element.place
  limit 1;
  if found then
    raise exception using
      errcode = 'PF006',
      message = case
        when v_wrong.is_null then
          format('flow %s cannot be started with NULL as its input', _raise_not_started.flow_slug)
        else format('flow %s needs an array as its input: step %s maps over it',
          _raise_not_started.flow_slug, v_map)
      end,
      detail = format('flow_slug=%s input_index=%s', _raise_not_started.flow_slug, v_wrong.place),
      hint = case
        when v_wrong.is_null
          then 'give JSON null, or an empty object, where there is nothing to say'
        else 'give a JSON array, an empty one for no tasks'
      end;
  end if;
  raise exception using
    errcode = 'PF009',
    message = format('a run of flow %s has an id that is already taken',
      _raise_not_started.flow_slug),
    detail = format('flow_slug=%s run_ids=%s', _raise_not_started.flow_slug,
      array_to_string(_raise_not_started.run_ids[1:20], ','));
end
$$;

comment on function pgflow._raise_not_started is 'Raise for the reason that runs were not written.';
