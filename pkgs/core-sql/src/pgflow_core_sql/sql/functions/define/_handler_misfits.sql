-- List why handlers that were written for a shape cannot serve a version of the flow.
--
-- They can where each step of the version calls its handler with the same arguments and expects an
-- output of the same type. Further steps of the code, and another order, are no hindrance; nor is
-- it one that handlers are ready for a missing output that is never missing.
--
-- Parameters:
--   flow_slug: the version.
--   shape: the shape that the handlers were written for, with its schemas.
-- Returns: one sentence a difference, in step order; an empty array where they can. A schema that
--   the database does not know is taken for the same.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._handler_misfits(flow_slug text, shape jsonb)
returns text []
language plpgsql
stable
as $$
declare
  v_saved jsonb := pgflow._get_flow_shape(_handler_misfits.flow_slug);
begin
  return (
    with pair as (
      select
        step.step_index as place, step.step_slug as slug,
        pgflow._call_of_step(saved.step || jsonb_build_object(
          'takesFlowInput', step.takes_flow_input, 'outputSchema', step.output_schema
        )) as saved,
        pgflow._call_of_step(code.step) as code
      from pgflow.steps as step
      join jsonb_array_elements(v_saved -> 'steps') as saved (step)
        on saved.step ->> 'slug' = step.step_slug
      left join jsonb_array_elements(_handler_misfits.shape -> 'steps') as code (step)
        on code.step ->> 'slug' = step.step_slug
      where step.flow_slug = _handler_misfits.flow_slug
    ),
    misfit as (
      select -1 as place, '' as field, 'the schema of the flow input is another' as sentence
      from pgflow.flows as flow
      where flow.flow_slug = _handler_misfits.flow_slug
        and flow.input_schema <> _handler_misfits.shape -> 'inputSchema'
      union all
      select pair.place, '', format('the code has no step %s', pair.slug)
      from pair
      where pair.code is null
      union all
      select pair.place, field.key,
        case field.key
          when 'output_schema' then
            format('step %s: the schema of its output is another', pair.slug)
          else format('step %s: %s %s %s in code and %s in the version', pair.slug,
            replace(field.key, '_', ' '), case field.key when 'arguments' then 'are' else 'is' end,
            coalesce(pair.code -> field.key, 'null'), field.value)
        end
      from pair
      cross join lateral jsonb_each(pair.saved) as field
      where field.value is distinct from pair.code -> field.key and pair.code is not null
    )
    select coalesce(array_agg(misfit.sentence order by misfit.place, misfit.field), '{}')
    from misfit
  );
end
$$;

comment on function pgflow._handler_misfits is
'List why handlers that were written for a shape cannot serve a version of the flow.';
