-- Broadcast changes of runs and steps where realtime.send exists, and stop where it does not.
--
-- Supabase has it. Each migrate calls this; without the triggers that it makes, broadcasting costs
-- nothing. Topics are pgflow:run:<run_id>. They are private unless the setting
-- pgflow.realtime_private is off, because whoever reads a public topic reads inputs and outputs.
--
-- Returns: whether changes are broadcast.
-- Locks: runs and step_states, against writers, while triggers are made or dropped.
-- Writes: triggers.
-- Idempotent: yes.
create or replace function pgflow.setup_realtime()
returns boolean
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  v_wanted boolean := to_regprocedure('realtime.send(jsonb, text, text, boolean)') is not null;
  v_there boolean := exists (
    select from pg_catalog.pg_trigger as made
    where made.tgname = 'note_events_of_insert' and made.tgrelid = 'pgflow.runs'::regclass
  );
begin
  if v_wanted and not v_there then
    create trigger note_events_of_insert after insert on pgflow.runs
    referencing new table as new_rows
    for each statement execute function pgflow._note_run_events();
    create trigger note_events_of_update after update on pgflow.runs
    referencing old table as old_rows new table as new_rows
    for each statement execute function pgflow._note_run_events();
    create trigger note_events_of_insert after insert on pgflow.step_states
    referencing new table as new_rows
    for each statement execute function pgflow._note_step_events();
    create trigger note_events_of_update after update on pgflow.step_states
    referencing old table as old_rows new table as new_rows
    for each statement execute function pgflow._note_step_events();
  elsif v_there and not v_wanted then
    drop trigger note_events_of_insert on pgflow.runs;
    drop trigger note_events_of_update on pgflow.runs;
    drop trigger note_events_of_insert on pgflow.step_states;
    drop trigger note_events_of_update on pgflow.step_states;
  end if;
  return v_wanted;
end
$$;

comment on function pgflow.setup_realtime is
'Broadcast changes of runs and steps where realtime.send exists, and stop where it does not.';
