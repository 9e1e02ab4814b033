-- Find the version of a flow that new runs take, or raise unless these inputs can start it.
--
-- Parameters:
--   flow_slug: the name of the flow, or one of its versions.
--   inputs: the flow inputs.
--   run_ids: ids for the runs, or NULL.
-- Returns: the slug of the version.
-- Errors: PF001 no such flow. PF006 an input is NULL, or no array where a map needs one.
--   PF008 inputs and run_ids differ in length. PF013 a run id is NULL. PF016 it is retired.
-- Locks: the row of the flow (for key share), so that what is read of it here and later is of one
--   definition.
-- Idempotent: yes.
create or replace function pgflow._check_inputs(flow_slug text, inputs jsonb [], run_ids uuid [])
returns text
language plpgsql
as $$
declare
  v_slug text;
  v_map text;
  v_place int;
begin
  v_slug := pgflow._hold_flow(_check_inputs.flow_slug);
  if _check_inputs.run_ids is not null
    and cardinality(_check_inputs.run_ids) is distinct from cardinality(_check_inputs.inputs) then
    raise exception using
      errcode = 'PF008',
      message = format('flow %s: %s inputs but %s run ids', _check_inputs.flow_slug,
        cardinality(_check_inputs.inputs), cardinality(_check_inputs.run_ids)),
      detail = format('flow_slug=%s', _check_inputs.flow_slug);
  end if;
  if array_position(_check_inputs.run_ids, null) is not null then
    raise exception using
      errcode = 'PF013',
      message = format('flow %s: a run id is NULL', _check_inputs.flow_slug),
      detail = format('flow_slug=%s', _check_inputs.flow_slug),
      hint = 'give NULL in place of all ids, and new ones are made';
  end if;
  select step.step_slug into v_map
  from pgflow.steps as step
  where step.flow_slug = v_slug and step.map_over = 'run'
  order by step.step_index
  limit 1;
  select element.place - 1 into v_place
  from unnest(_check_inputs.inputs) with ordinality as element (value, place)
  where element.value is null
    or (v_map is not null and jsonb_typeof(element.value) <> 'array')
  limit 1;
  if found then
    raise exception using
      errcode = 'PF006',
      message = case
        when _check_inputs.inputs[v_place + 1] is null then
          format('flow %s cannot be started with NULL as its input', _check_inputs.flow_slug)
        else format('flow %s needs an array as its input: step %s maps over it',
          _check_inputs.flow_slug, v_map)
      end,
      detail = format('flow_slug=%s input_index=%s', _check_inputs.flow_slug, v_place),
      hint = case
        when _check_inputs.inputs[v_place + 1] is null
          then 'give JSON null, or an empty object, where there is nothing to say'
        else 'give a JSON array, an empty one for no tasks'
      end;
  end if;
  return v_slug;
end
$$;

comment on function pgflow._check_inputs is
'Find the version of a flow that new runs take, or raise unless these inputs can start it.';
