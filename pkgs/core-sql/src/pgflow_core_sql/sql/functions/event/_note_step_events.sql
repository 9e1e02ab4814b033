-- Note changes of steps' statuses, as a trigger, for _send_events at the end of the call.
--
-- Returns: NULL, as triggers after a statement do.
-- Locks: none.
-- Writes: the transaction's setting pgflow.events.
-- Idempotent: no.
create or replace function pgflow._note_step_events()
returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    perform pgflow._note_events(array(
      select jsonb_build_array(5, state.run_id, state.step_slug, state.status)
      from new_rows as state
      where state.status <> 'created'
    ));
  else
    perform pgflow._note_events(array(
      select jsonb_build_array(
        case
          when state.status = 'completed' and before.status = 'created' then 4
          when state.status = 'completed' then 1
          when state.status = 'failed' then 2
          when state.status in ('skipped', 'cancelled') then 3
          else 5
        end,
        state.run_id, state.step_slug, state.status
      )
      from new_rows as state
      join old_rows as before on before.run_id = state.run_id and before.step_slug = state.step_slug
      where before.status <> state.status and state.status <> 'created'
    ));
  end if;
  return null;
end
$$;

comment on function pgflow._note_step_events is
'Note changes of steps'' statuses, as a trigger, for _send_events at the end of the call.';
