-- Start runs whose inputs, ids and options have been checked.
--
-- Parameters:
--   flow_slug: the flow, whose row the caller holds.
--   inputs, run_ids: one of each a run; NULL is none.
--   priority, tags, delay, trace_context: as in start_flows.
-- Returns: nothing.
-- Errors: PF009 a run with that id exists.
-- Locks: none; nobody else sees the runs yet.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: no.
create or replace function pgflow._start_runs(
  flow_slug text, inputs jsonb [], run_ids uuid [], priority int, tags jsonb, delay interval,
  trace_context jsonb
)
returns void
language plpgsql
as $$
declare
  v_steps int;
  v_ready record;
begin
  v_steps := pgflow._insert_runs(
    _start_runs.flow_slug, _start_runs.inputs, _start_runs.run_ids,
    least(greatest(coalesce(_start_runs.priority, 0), -32768), 32767)::smallint,
    _start_runs.tags, case when _start_runs.delay > interval '0' then now() + _start_runs.delay end,
    _start_runs.trace_context
  );
  select ready.* into v_ready
  from pgflow._insert_step_states(
    _start_runs.flow_slug, _start_runs.inputs, _start_runs.run_ids, v_steps
  ) as ready;
  perform pgflow._spawn_tasks(v_ready.started_run_ids, v_ready.started_step_slugs);
  if v_ready.unsettled_run_ids is not null then
    perform pgflow._count_off(
      pgflow._settle_steps(v_ready.unsettled_run_ids, v_ready.unsettled_step_slugs)
    );
  end if;
  perform pgflow._send_events();
  perform pgflow._wake_workers(array[_start_runs.flow_slug]);
end
$$;

comment on function pgflow._start_runs is
'Start runs whose inputs, ids and options have been checked.';
