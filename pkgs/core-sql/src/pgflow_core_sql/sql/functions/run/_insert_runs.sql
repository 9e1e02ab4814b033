-- Write the rows of new runs.
--
-- Parameters:
--   flow_slug: the flow.
--   inputs, run_ids: one of each a run.
--   priority, tags, delayed_until, trace_context: of all the runs.
-- Returns: how many steps the flow has; those that are added meanwhile have higher indexes.
-- Errors: PF009 a run with that id exists.
-- Locks: none; the caller holds the row of the flow.
-- Writes: runs. A flow without steps is completed at once.
-- Idempotent: no.
create or replace function pgflow._insert_runs(
  flow_slug text, inputs jsonb [], run_ids uuid [], priority smallint, tags jsonb,
  delayed_until timestamptz, trace_context jsonb
)
returns int
language plpgsql
as $$
declare
  v_steps int;
  v_inserted int;
begin
  select count(*) into v_steps
  from pgflow.steps as step
  where step.flow_slug = _insert_runs.flow_slug;
  insert into pgflow.runs (
    run_id, flow_slug, input, remaining_steps, priority, tags, delayed_until, trace_context,
    status, completed_at, output
  )
  select
    new.run_id, _insert_runs.flow_slug, new.input, v_steps, _insert_runs.priority,
    coalesce(_insert_runs.tags, '{}'), _insert_runs.delayed_until, _insert_runs.trace_context,
    case when v_steps = 0 then 'completed' else 'started' end,
    case when v_steps = 0 then now() end,
    case when v_steps = 0 then '{}'::jsonb end
  from unnest(_insert_runs.run_ids, _insert_runs.inputs) as new (run_id, input)
  -- Not by an exception handler: entering one makes a subtransaction, at each start.
  on conflict do nothing;
  get diagnostics v_inserted = row_count;
  if v_inserted < cardinality(_insert_runs.run_ids) then
    raise exception using
      errcode = 'PF009',
      message = format('a run of flow %s has an id that is already taken', _insert_runs.flow_slug),
      detail = format('flow_slug=%s run_ids=%s', _insert_runs.flow_slug,
        array_to_string(_insert_runs.run_ids[1:20], ','));
  end if;
  return v_steps;
end
$$;

comment on function pgflow._insert_runs is 'Write the rows of new runs.';
