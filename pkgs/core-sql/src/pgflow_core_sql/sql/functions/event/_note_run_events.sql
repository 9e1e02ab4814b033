-- Note changes of runs' statuses, as a trigger, for _send_events at the end of the call.
--
-- Returns: NULL, as triggers after a statement do.
-- Locks: none.
-- Writes: the transaction's setting pgflow.events.
-- Idempotent: no.
create or replace function pgflow._note_run_events()
returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    perform pgflow._note_events(array(
      select jsonb_build_array(0, run.run_id, null, 'started') from new_rows as run
    ) || array(
      select jsonb_build_array(6, run.run_id, null, run.status)
      from new_rows as run
      where run.status <> 'started'
    ));
  else
    perform pgflow._note_events(array(
      select jsonb_build_array(
        case when run.status = 'started' then 0 else 6 end, run.run_id, null, run.status
      )
      from new_rows as run
      join old_rows as before on before.run_id = run.run_id
      where before.status <> run.status
    ));
  end if;
  return null;
end
$$;

comment on function pgflow._note_run_events is
'Note changes of runs'' statuses, as a trigger, for _send_events at the end of the call.';
