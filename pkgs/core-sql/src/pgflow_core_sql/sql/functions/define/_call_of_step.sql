-- Write what the handler of a step is called with and what may come of it, so that two can be
-- compared.
--
-- Parameters:
--   step: the step of a shape, with takesFlowInput and outputSchema.
-- Returns: {"type", "map_over", "arguments", "takes_flow_input", "output_may_be_missing",
--   "output_schema"}, of which the last two and map_over only where there is something to say; NULL
--   for NULL.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._call_of_step(step jsonb)
returns jsonb
language plpgsql
immutable
as $$
declare
  v_step jsonb := pgflow._canonical_step(_call_of_step.step);
  v_is_root_single boolean := v_step ->> 'stepType' = 'single' and v_step -> 'dependencies' = '[]';
  v_has_condition boolean :=
    (v_step -> 'requiredInputPattern' -> 'defined')::boolean
    or (v_step -> 'forbiddenInputPattern' -> 'defined')::boolean;
begin
  if _call_of_step.step is null then
    return null;
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'type', v_step -> 'stepType',
    'map_over', v_step -> 'mapOver',
    'arguments', to_jsonb(pgflow._text_array(v_step -> 'dependencies', v_step -> 'after')),
    'takes_flow_input', v_is_root_single
      or coalesce((_call_of_step.step ->> 'takesFlowInput')::boolean, false),
    'output_may_be_missing', nullif(
      v_step ->> 'whenExhausted' = 'skip' or v_has_condition and v_step ->> 'whenUnmet' = 'skip',
      false
    ),
    'output_schema', _call_of_step.step -> 'outputSchema'
  ));
end
$$;

comment on function pgflow._call_of_step is
'Write what the handler of a step is called with and what may come of it, so that two can be '
'compared.';
