-- Give an existing step its options anew; its structure stays.
--
-- Parameters:
--   step: the row as it should be.
-- Returns: the row of the step.
-- Locks: none; the caller holds the row of the flow.
-- Writes: steps.
-- Idempotent: yes.
create or replace function pgflow._update_step_options(step pgflow.steps)
returns pgflow.steps
language plpgsql
as $$
declare
  v_saved pgflow.steps;
begin
  update pgflow.steps as saved
  set opt_max_attempts = _update_step_options.step.opt_max_attempts,
    opt_base_delay = _update_step_options.step.opt_base_delay,
    opt_timeout = _update_step_options.step.opt_timeout,
    opt_start_delay = _update_step_options.step.opt_start_delay,
    opt_max_delay = _update_step_options.step.opt_max_delay,
    opt_jitter = _update_step_options.step.opt_jitter,
    opt_backoff = _update_step_options.step.opt_backoff,
    takes_flow_input = _update_step_options.step.takes_flow_input,
    output_schema = _update_step_options.step.output_schema
  where saved.flow_slug = _update_step_options.step.flow_slug
    and saved.step_slug = _update_step_options.step.step_slug
  returning saved.* into v_saved;
  return v_saved;
end
$$;

comment on function pgflow._update_step_options is
'Give an existing step its options anew; its structure stays.';
