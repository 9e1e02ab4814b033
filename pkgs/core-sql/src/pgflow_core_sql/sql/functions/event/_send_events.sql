-- Broadcast the events that the transaction has noted, through realtime.send, each once.
--
-- The order is: run started, steps completed, failed, skipped, completed without tasks, started,
-- run ended. Without noted events, which is without the triggers of setup_realtime, nothing is
-- done.
--
-- Returns: nothing.
-- Locks: none.
-- Writes: whatever realtime.send writes; the transaction's setting pgflow.events.
-- Idempotent: yes.
create or replace function pgflow._send_events()
returns void
language plpgsql
as $$
declare
  v_events jsonb := nullif(current_setting('pgflow.events', true), '')::jsonb;
  v_event record;
begin
  if v_events is null then
    return;
  end if;
  perform set_config('pgflow.events', '', true);
  for v_event in
    select
      event.run_id, event.name,
      case
        when event.step_slug is null then pgflow._run_event(event.run_id, event.status)
        else pgflow._step_event(event.run_id, event.step_slug, event.status)
      end as payload
    from (
      select
        (noted.value ->> 0)::int as rank, noted.ordinality,
        (noted.value ->> 1)::uuid as run_id, noted.value ->> 2 as step_slug,
        noted.value ->> 3 as status,
        case
          when noted.value -> 2 = 'null' then 'run:' || (noted.value ->> 3)
          else format('step:%s:%s', noted.value ->> 2, noted.value ->> 3)
        end as name
      from jsonb_array_elements(v_events) with ordinality as noted
    ) as event
    order by event.run_id, event.rank, event.ordinality
  loop
    -- By name at run time: most databases have no such function.
    execute format('select %I.%I($1, $2, $3, $4)', 'realtime', 'send')
    using v_event.payload, v_event.name, 'pgflow:run:' || v_event.run_id,
      coalesce(current_setting('pgflow.realtime_private', true), 'on') <> 'off';
  end loop;
end
$$;

comment on function pgflow._send_events is
'Broadcast the events that the transaction has noted, through realtime.send, each once.';
