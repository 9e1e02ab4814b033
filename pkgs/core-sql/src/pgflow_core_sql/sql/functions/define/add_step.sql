-- Add a step to a flow, or give an existing one its options anew.
--
-- Parameters:
--   flow_slug, step_slug: the flow, which has to exist, and the name of the step.
--   deps_slugs: steps that it waits for and whose outputs it receives; they have to exist.
--   max_attempts, base_delay, timeout, max_delay, jitter, backoff: as in create_flow; NULL
--     inherits.
--   start_delay: seconds between the start of the step and its tasks being claimable.
--   step_type: 'single', or 'map' for one task an element of an array.
--   required_input_pattern, forbidden_input_pattern: JSON objects that the input has to contain,
--     or may not contain, for the step to run; NULL sets no condition. {} as the value of a
--     dependency asks only whether it completed. A map over the flow input alone has none.
--   when_unmet, when_exhausted: 'fail', 'skip' or 'skip-cascade'.
--   map_over: for a map, the one of deps_slugs whose array it maps over, or 'run' for the flow
--     input; NULL takes the only dependency, or the flow input where there is none.
--   after_slugs: further steps that it waits for without receiving their outputs.
--   takes_flow_input: whether tasks receive the flow input too; root single steps always do.
--   output_schema: JSON Schema of one task's output, or NULL.
-- Returns: the row of the step.
-- Errors: PF001 no such flow. PF003 no such dependency. PF004 the slug is not valid.
--   PF005 the definition contradicts itself or the step that exists.
-- Locks: the row of the flow.
-- Writes: steps, deps.
-- Idempotent: yes.
create or replace function pgflow.add_step(
  flow_slug text,
  step_slug text,
  deps_slugs text [] default '{}',
  max_attempts int default null,
  base_delay int default null,
  timeout int default null,
  start_delay int default null,
  step_type text default 'single',
  required_input_pattern jsonb default null,
  forbidden_input_pattern jsonb default null,
  when_unmet text default 'skip',
  when_exhausted text default 'fail',
  map_over text default null,
  after_slugs text [] default '{}',
  takes_flow_input boolean default false,
  max_delay int default null,
  jitter double precision default null,
  output_schema jsonb default null,
  backoff text default null
)
returns pgflow.steps
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
as $$
declare
  v_deps text[] := coalesce(add_step.deps_slugs, '{}');
  v_after text[] := coalesce(add_step.after_slugs, '{}');
  v_step pgflow.steps;
begin
  perform pgflow._require_slug('step', add_step.step_slug);
  perform pgflow._require_flow(add_step.flow_slug);
  v_step.flow_slug := add_step.flow_slug;
  v_step.step_slug := add_step.step_slug;
  v_step.step_type := add_step.step_type;
  v_step.deps_count := cardinality(v_deps || v_after);
  v_step.opt_max_attempts := add_step.max_attempts;
  v_step.opt_base_delay := add_step.base_delay;
  v_step.opt_timeout := add_step.timeout;
  v_step.opt_start_delay := add_step.start_delay;
  v_step.opt_max_delay := add_step.max_delay;
  v_step.opt_jitter := add_step.jitter;
  v_step.opt_backoff := add_step.backoff;
  v_step.required_input_pattern := add_step.required_input_pattern;
  v_step.forbidden_input_pattern := add_step.forbidden_input_pattern;
  v_step.when_unmet := add_step.when_unmet;
  v_step.when_exhausted := add_step.when_exhausted;
  v_step.map_over := pgflow._resolve_map_over(
    add_step.flow_slug, add_step.step_slug, add_step.step_type, v_deps, add_step.map_over
  );
  v_step.takes_flow_input := coalesce(add_step.takes_flow_input, false)
    or (add_step.step_type = 'single' and v_step.deps_count = 0);
  v_step.output_schema := add_step.output_schema;
  v_step.is_leaf := true;
  v_step.feeds_map := false;
  v_step.may_fail_run := false;
  v_step.claimed_apart := false;
  perform pgflow._require_deps(add_step.flow_slug, add_step.step_slug, v_deps || v_after);
  return pgflow._save_step(v_step, v_deps, v_after);
exception when check_violation or not_null_violation then
  raise exception using
    errcode = 'PF005',
    message = format('step %s of flow %s cannot be defined so: %s',
      add_step.step_slug, add_step.flow_slug, sqlerrm),
    detail = format('flow_slug=%s step_slug=%s', add_step.flow_slug, add_step.step_slug);
end
$$;

comment on function pgflow.add_step is
'Add a step to a flow, or give an existing one its options anew.';
