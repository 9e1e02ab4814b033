-- Build what is broadcast of a change of a step.
--
-- Parameters:
--   run_id, step_slug: the step.
--   status: the status that it came to.
-- Returns: {"event_type": "step:<status>", "run_id", "step_slug", "flow_slug", "status", ...}: with
--   started_at, remaining_tasks and remaining_deps when started, output and completed_at when
--   completed, error_message and failed_at when failed, skip_reason, error_message and skipped_at
--   when skipped, cancelled_at when cancelled.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._step_event(run_id uuid, step_slug text, status text)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object(
      'event_type', 'step:' || _step_event.status, 'run_id', state.run_id,
      'step_slug', state.step_slug, 'flow_slug', state.flow_slug, 'status', _step_event.status
    ) || case _step_event.status
      when 'started' then jsonb_build_object(
        'started_at', state.started_at, 'remaining_tasks', state.remaining_tasks,
        'remaining_deps', state.remaining_deps
      )
      when 'completed' then jsonb_build_object(
        'output', state.output, 'completed_at', state.completed_at
      )
      when 'failed' then jsonb_build_object(
        'error_message', state.error_message, 'failed_at', state.failed_at
      )
      when 'skipped' then jsonb_build_object(
        'skip_reason', state.skip_reason, 'error_message', state.error_message,
        'skipped_at', state.skipped_at
      )
      else jsonb_build_object('cancelled_at', state.cancelled_at)
    end
    from pgflow.step_states as state
    where state.run_id = _step_event.run_id and state.step_slug = _step_event.step_slug
  );
end
$$;

comment on function pgflow._step_event is 'Build what is broadcast of a change of a step.';
