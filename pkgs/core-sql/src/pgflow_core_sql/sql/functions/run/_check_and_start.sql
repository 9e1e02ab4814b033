-- Check ids, options and idempotency keys, and start runs of one flow.
--
-- Parameters: as those of start_flows.
-- Returns: the ids of the runs, in the order of the inputs.
-- Errors: PF001, PF006, PF008, PF009, PF012, PF013, PF016: see start_flows.
-- Locks: the row of the flow (for key share); then the keys, sorted.
-- Writes: runs, step_states, step_tasks, run_keys.
-- Idempotent: with idempotency_keys.
create or replace function pgflow._check_and_start(
  flow_slug text, inputs jsonb [], run_ids uuid [], priority int, tags jsonb, delay interval,
  trace_context jsonb, idempotency_keys text [], key_lifetime interval
)
returns uuid []
language plpgsql
as $$
declare
  v_slug text;
  v_run_ids uuid[] := _check_and_start.run_ids;
  v_keys text[] := _check_and_start.idempotency_keys;
  v_keyed record;
begin
  v_slug := pgflow._hold_flow(_check_and_start.flow_slug, v_keys is not null);
  if v_run_ids is not null then
    perform pgflow._check_run_ids(
      _check_and_start.flow_slug, cardinality(_check_and_start.inputs), v_run_ids
    );
  elsif cardinality(_check_and_start.inputs) = 1 then
    v_run_ids := array[pgflow._new_run_id()];
  else
    select array_agg(new.run_id order by new.run_id) into v_run_ids
    from (
      select pgflow._new_run_id() as run_id
      from generate_series(1, cardinality(_check_and_start.inputs))
    ) as new;
  end if;
  if num_nonnulls(_check_and_start.tags, _check_and_start.delay, _check_and_start.trace_context,
    v_keys, _check_and_start.key_lifetime) > 0 then
    perform pgflow._check_start_options(
      _check_and_start.flow_slug, cardinality(_check_and_start.inputs), _check_and_start.tags,
      _check_and_start.delay, _check_and_start.trace_context, v_keys, _check_and_start.key_lifetime
    );
  end if;
  if v_keys is null then
    perform pgflow._start_runs(
      _check_and_start.flow_slug, v_slug, _check_and_start.inputs, v_run_ids,
      _check_and_start.priority, _check_and_start.tags, _check_and_start.delay,
      _check_and_start.trace_context
    );
    return v_run_ids;
  end if;
  select keyed.owners, new.inputs, new.run_ids, new.places into v_keyed
  from pgflow._take_keys(
    split_part(v_slug, '@', 1), v_keys, v_run_ids, _check_and_start.key_lifetime
  ) as keyed
  cross join lateral (
    select array_agg(each.input order by each.place) as inputs,
      array_agg(each.run_id order by each.place) as run_ids,
      array_agg(each.place::int order by each.place) as places
    from unnest(_check_and_start.inputs, v_run_ids, keyed.are_new) with ordinality
      as each (input, run_id, is_new, place)
    where each.is_new
  ) as new;
  if v_keyed.run_ids is null then
    return v_keyed.owners;
  end if;
  -- Whoever asks again for a run that is there gets it, also where no other would be started.
  perform pgflow._hold_version(v_slug);
  perform pgflow._start_runs(
    _check_and_start.flow_slug, v_slug, v_keyed.inputs, v_keyed.run_ids,
    _check_and_start.priority, _check_and_start.tags, _check_and_start.delay,
    _check_and_start.trace_context, v_keyed.places
  );
  return v_keyed.owners;
end
$$;

comment on function pgflow._check_and_start is
'Check ids, options and idempotency keys, and start runs of one flow.';
