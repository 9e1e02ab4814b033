-- Define a flow as a shape says, or give an existing one with that structure its options anew.
--
-- Parameters:
--   flow_slug: the flow.
--   shape: {"options", "inputSchema", "steps": [{"slug", "stepType", "dependencies", "after",
--     "mapOver", "takesFlowInput", "whenUnmet", "whenExhausted", "requiredInputPattern",
--     "forbiddenInputPattern", "options", "outputSchema"}]}; seconds are whole numbers.
-- Returns: nothing.
-- Errors: as create_flow and add_step.
-- Locks: the row of the flow.
-- Writes: flows, steps, deps.
-- Idempotent: yes.
create or replace function pgflow._create_flow_from_shape(flow_slug text, shape jsonb)
returns void
language plpgsql
as $$
declare
  v_options jsonb := _create_flow_from_shape.shape -> 'options';
  v_step jsonb;
begin
  perform pgflow.create_flow(
    _create_flow_from_shape.flow_slug, (v_options ->> 'maxAttempts')::int,
    (v_options ->> 'baseDelay')::int, (v_options ->> 'timeout')::int,
    (v_options ->> 'maxDelay')::int, (v_options ->> 'jitter')::double precision,
    nullif(_create_flow_from_shape.shape -> 'inputSchema', 'null'), v_options ->> 'backoff'
  );
  for v_step in
    select element.value
    from jsonb_array_elements(_create_flow_from_shape.shape -> 'steps') with ordinality as element
    order by element.ordinality
  loop
    v_options := v_step -> 'options';
    perform pgflow.add_step(
      flow_slug => _create_flow_from_shape.flow_slug,
      step_slug => v_step ->> 'slug',
      deps_slugs => pgflow._text_array(v_step -> 'dependencies', v_step -> 'after'),
      max_attempts => (v_options ->> 'maxAttempts')::int,
      base_delay => (v_options ->> 'baseDelay')::int,
      timeout => (v_options ->> 'timeout')::int,
      start_delay => (v_options ->> 'startDelay')::int,
      step_type => coalesce(v_step ->> 'stepType', 'single'),
      required_input_pattern => v_step -> 'requiredInputPattern' -> 'value',
      forbidden_input_pattern => v_step -> 'forbiddenInputPattern' -> 'value',
      when_unmet => coalesce(v_step ->> 'whenUnmet', 'skip'),
      when_exhausted => coalesce(v_step ->> 'whenExhausted', 'fail'),
      map_over => v_step ->> 'mapOver',
      after_slugs => pgflow._text_array(v_step -> 'after', '[]'),
      takes_flow_input => coalesce((v_step ->> 'takesFlowInput')::boolean, false),
      max_delay => (v_options ->> 'maxDelay')::int,
      jitter => (v_options ->> 'jitter')::double precision,
      output_schema => nullif(v_step -> 'outputSchema', 'null'),
      backoff => v_options ->> 'backoff'
    );
  end loop;
end
$$;

comment on function pgflow._create_flow_from_shape is
'Define a flow as a shape says, or give an existing one with that structure its options anew.';
