-- Start runs whose ids and options have been checked.
--
-- Parameters:
--   flow_slug: the flow as the caller named it, for messages.
--   version_slug: the version of it that is started; the caller holds its row.
--   inputs, run_ids: one of each a run; NULL is none.
--   priority, tags, delay, trace_context: as in start_flows.
--   places: where the inputs stood in the call, from 1; NULL is in this order.
-- Returns: nothing.
-- Errors: PF006 an input is NULL, or no array where a map needs one. PF009 a run with that id
--   exists.
-- Locks: none; nobody else sees the runs yet.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: no.
create or replace function pgflow._start_runs(
  flow_slug text, version_slug text, inputs jsonb [], run_ids uuid [], priority int, tags jsonb,
  delay interval, trace_context jsonb, places int [] default null
)
returns void
language plpgsql
as $$
declare
  v_priority smallint := least(greatest(coalesce(_start_runs.priority, 0), -32768), 32767);
  v_delayed_until timestamptz := case
    when _start_runs.delay > interval '0' then now() + _start_runs.delay
  end;
  v_begun record;
begin
  v_begun := pgflow._begin_runs(
    _start_runs.version_slug, _start_runs.inputs, _start_runs.run_ids, v_priority,
    _start_runs.tags, v_delayed_until, _start_runs.trace_context
  );
  if v_begun.runs < cardinality(_start_runs.run_ids) then
    perform pgflow._raise_not_started(
      _start_runs.flow_slug, _start_runs.version_slug, _start_runs.inputs, _start_runs.run_ids,
      _start_runs.places
    );
  end if;
  if v_begun.map_run_ids is not null then
    perform pgflow._spawn_elements(v_begun.map_run_ids, v_begun.map_step_slugs);
  end if;
  if v_begun.unsettled_run_ids is not null then
    perform pgflow._count_off(
      pgflow._settle_steps(v_begun.unsettled_run_ids, v_begun.unsettled_step_slugs)
    );
  end if;
  if current_setting('pgflow.events', true) <> '' then
    perform pgflow._send_events();
  end if;
  perform pgflow._wake_workers(array[_start_runs.version_slug]);
end
$$;

comment on function pgflow._start_runs is
'Start runs whose ids and options have been checked.';
