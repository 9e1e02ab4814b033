-- Let an idempotency key stand for a run, unless it already stands for another.
--
-- Parameters:
--   flow_slug: the flow.
--   idempotency_key: the key.
--   run_id: the run that is about to be started.
--   lifetime: how long the key stands for it; NULL is as long as the run is kept.
-- Returns: run_id where the key was free or had expired; else the run that it stands for.
-- Errors: PF001 no such flow. PF012 the key is too long or empty.
-- Locks: the row of the flow (for key share), as deleting does before the keys; then the key, until
--   the transaction ends: others who start with it wait for the outcome.
-- Writes: run_keys.
-- Idempotent: yes.
create or replace function pgflow._take_key(
  flow_slug text, idempotency_key text, run_id uuid, lifetime interval
)
returns uuid
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  v_owner uuid;
begin
  perform pgflow._hold_flow(_take_key.flow_slug);
  -- A run that is deleted between the two statements takes its key with it; then it is free.
  while v_owner is null loop
    insert into pgflow.run_keys as key (flow_slug, idempotency_key, run_id, expires_at)
    values (
      _take_key.flow_slug, _take_key.idempotency_key, _take_key.run_id,
      coalesce(clock_timestamp() + _take_key.lifetime, 'infinity')
    )
    on conflict on constraint run_keys_pkey do update
    set run_id = excluded.run_id, expires_at = excluded.expires_at
    where key.expires_at <= clock_timestamp()
    returning key.run_id into v_owner;
    if v_owner is null then
      select key.run_id into v_owner
      from pgflow.run_keys as key
      where key.flow_slug = _take_key.flow_slug
        and key.idempotency_key = _take_key.idempotency_key;
    end if;
  end loop;
  return v_owner;
exception when check_violation then
  raise exception using
    errcode = 'PF012',
    message = format('an idempotency key has 1 to 500 characters, not %s',
      length(_take_key.idempotency_key)),
    detail = format('flow_slug=%s', _take_key.flow_slug);
end
$$;

comment on function pgflow._take_key is
'Let an idempotency key stand for a run, unless it already stands for another.';
