-- Build what is broadcast of a change of a run.
--
-- Parameters:
--   run_id: the run.
--   status: the status that it came to.
-- Returns: {"event_type": "run:<status>", "run_id", "flow_slug", "status", ...}: with input,
--   remaining_steps and started_at when started, output and completed_at when completed,
--   error_message and failed_at or cancelled_at when it ended otherwise.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._run_event(run_id uuid, status text)
returns jsonb
language plpgsql
stable
as $$
begin
  return (
    select jsonb_build_object(
      'event_type', 'run:' || _run_event.status, 'run_id', run.run_id,
      'flow_slug', run.flow_slug, 'status', _run_event.status
    ) || case _run_event.status
      when 'started' then jsonb_build_object(
        'input', run.input, 'remaining_steps', run.remaining_steps, 'started_at', run.started_at
      )
      when 'completed' then jsonb_build_object(
        'output', run.output, 'completed_at', run.completed_at
      )
      when 'failed' then jsonb_build_object(
        'error_message', run.error_message, 'failed_at', run.failed_at
      )
      else jsonb_build_object(
        'error_message', run.error_message, 'cancelled_at', run.cancelled_at
      )
    end
    from pgflow.runs as run
    where run.run_id = _run_event.run_id
  );
end
$$;

comment on function pgflow._run_event is 'Build what is broadcast of a change of a run.';
