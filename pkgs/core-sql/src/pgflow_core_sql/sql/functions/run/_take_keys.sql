-- Let idempotency keys stand for runs, unless they already stand for others.
--
-- Parameters:
--   flow_slug: the name of the flow, whose row the caller holds, as deleting does before the keys.
--   idempotency_keys: one for each run, NULL for a run without; of equal ones the first counts.
--   run_ids: the runs that are about to be started.
--   lifetime: how long the keys stand for them; NULL is as long as the runs are kept.
-- Returns: for each run the one that its key stands for, which is itself where the key was free or
--   had expired; and whether it has to be started.
-- Errors: serialization_failure in a transaction whose snapshot shows a key that has gone.
-- Locks: the keys, sorted, until the transaction ends: others who start with one of them wait for
--   the outcome.
-- Writes: run_keys.
-- Idempotent: yes.
create or replace function pgflow._take_keys(
  flow_slug text,
  idempotency_keys text [],
  run_ids uuid [],
  lifetime interval,
  out owners uuid [],
  out are_new boolean []
)
language plpgsql
set enable_hashjoin to on
as $$
declare
  v_taken uuid[];
begin
  if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
    -- A key that went with its run since the snapshot was taken would be seen beside the one that
    -- takes its place. It cannot be locked, which is the server's error to be tried again upon.
    perform from pgflow.run_keys as held
    where held.flow_slug = _take_keys.flow_slug
      and held.idempotency_key = any (_take_keys.idempotency_keys)
    order by held.idempotency_key
    for key share;
  end if;
  with wanted as (
    select distinct on (asked.key collate "C") asked.key collate "C" as key, asked.run_id
    from unnest(_take_keys.idempotency_keys, _take_keys.run_ids) with ordinality
      as asked (key, run_id, place)
    where asked.key is not null
    order by asked.key collate "C", asked.place
  ),
  taken as (
    insert into pgflow.run_keys as held (flow_slug, idempotency_key, run_id, expires_at)
    select
      _take_keys.flow_slug, wanted.key, wanted.run_id,
      coalesce(clock_timestamp() + _take_keys.lifetime, 'infinity')
    from wanted
    order by wanted.key
    -- Locks a key that stays as it is, too, so that the next statement is sure to find it.
    on conflict on constraint run_keys_pkey do update
    set run_id = excluded.run_id, expires_at = excluded.expires_at
    where held.expires_at <= clock_timestamp()
    returning held.run_id
  )
  select array_agg(taken.run_id) into v_taken
  from taken;
  select
    array_agg(coalesce(
      (
        select held.run_id
        from pgflow.run_keys as held
        where held.flow_slug = _take_keys.flow_slug and held.idempotency_key = asked.key
      ),
      asked.run_id
    ) order by asked.place),
    array_agg(asked.key is null or taken.run_id is not null order by asked.place)
  into _take_keys.owners, _take_keys.are_new
  from unnest(_take_keys.idempotency_keys, _take_keys.run_ids) with ordinality
    as asked (key, run_id, place)
  left join (select distinct each.run_id from unnest(v_taken) as each (run_id)) as taken
    on taken.run_id = asked.run_id;
end
$$;

comment on function pgflow._take_keys is
'Let idempotency keys stand for runs, unless they already stand for others.';
