-- Raise unless runs can be started with these options.
--
-- Parameters:
--   flow_slug: the flow, for the message.
--   run_count: how many runs are to be started.
--   tags, delay, trace_context, idempotency_keys, key_lifetime: as in start_flows.
-- Returns: nothing.
-- Errors: PF008 inputs and idempotency_keys differ in length, or these are arrays of arrays.
--   PF012 a key is too long or empty. PF013 tags or trace_context are no object, the delay is
--   longer than a hundred years, or the keys' lifetime no span up to that.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._check_start_options(
  flow_slug text, run_count int, tags jsonb, delay interval, trace_context jsonb,
  idempotency_keys text [], key_lifetime interval
)
returns void
language plpgsql
as $$
declare
  v_wrong text := case
    when jsonb_typeof(_check_start_options.tags) <> 'object'
      then 'tags are an object of names and values, not '
        || jsonb_typeof(_check_start_options.tags)
    when jsonb_typeof(_check_start_options.trace_context) <> 'object'
      then 'trace_context is an object of headers, not '
        || jsonb_typeof(_check_start_options.trace_context)
    when _check_start_options.delay > interval '100 years'
      then 'delay is at most a hundred years'
    when _check_start_options.key_lifetime <= '0'
      or _check_start_options.key_lifetime > '100 years'
      then 'key_lifetime is longer than nothing and at most a hundred years'
  end;
  v_keys int := cardinality(_check_start_options.idempotency_keys);
  v_length int;
begin
  if v_wrong is not null then
    raise exception using
      errcode = 'PF013', message = v_wrong,
      detail = format('flow_slug=%s', _check_start_options.flow_slug);
  end if;
  if v_keys <> coalesce(_check_start_options.run_count, -1)
    or array_ndims(_check_start_options.idempotency_keys) > 1 then
    raise exception using
      errcode = 'PF008',
      message = format('flow %s: %s inputs but %s idempotency keys',
        _check_start_options.flow_slug, coalesce(_check_start_options.run_count, 0), v_keys),
      detail = format('flow_slug=%s', _check_start_options.flow_slug);
  end if;
  select length(asked.key) into v_length
  from unnest(_check_start_options.idempotency_keys) as asked (key)
  where length(asked.key) not between 1 and 500
  limit 1;
  if found then
    raise exception using
      errcode = 'PF012',
      message = format('an idempotency key has 1 to 500 characters, not %s', v_length),
      detail = format('flow_slug=%s', _check_start_options.flow_slug);
  end if;
end
$$;

comment on function pgflow._check_start_options is
'Raise unless runs can be started with these options.';
