-- Send the rows that a statement writes to a job: the function of a trigger on any table.
--
-- create trigger ... after insert on users referencing new table as sent_rows
--   for each statement execute function pgflow.send_rows('welcome') sends all rows in one call;
-- ... after insert or update on users for each row execute function pgflow.send_rows('welcome')
--   sends each by itself.
--
-- The arguments of the trigger are the job's slug and, to send one column instead of the whole
-- row, its name. A row that is deleted is sent as it was; for a whole statement, the transition
-- table has to be named sent_rows.
--
-- Returns: nothing that matters to an "after" trigger.
-- Errors: as send and send_many. PF005 the trigger is not one that can send.
-- Locks: as start_flows.
-- Writes: as start_flows. With the rights of this function's owner: whoever may write to the table
--   need not be allowed to start runs.
-- Idempotent: no.
create or replace function pgflow.send_rows()
returns trigger
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_row jsonb;
  v_inputs jsonb[];
begin
  if tg_when <> 'AFTER' or tg_nargs not in (1, 2) or tg_op = 'TRUNCATE' then
    raise exception using
      errcode = 'PF005',
      message = format('trigger %s on %s cannot send rows to a job', tg_name, tg_relid::regclass),
      detail = format('table=%s trigger=%s', tg_relid::regclass, tg_name),
      hint = 'pgflow.send_rows(''job'') or (''job'', ''column''), after insert, update or delete';
  end if;
  if tg_level = 'ROW' then
    v_row := to_jsonb(case when tg_op = 'DELETE' then old else new end);
    v_inputs := array[case when tg_nargs = 2 then v_row -> tg_argv[1] else v_row end];
  else
    select array_agg(case when tg_nargs = 2 then each.row -> tg_argv[1] else each.row end)
    into v_inputs
    from (select to_jsonb(sent) as row from sent_rows as sent) as each;
  end if;
  if v_inputs is not null then
    perform from pgflow.send_many(tg_argv[0], v_inputs);
  end if;
  return null;
end
$$;

comment on function pgflow.send_rows is
'Send the rows that a statement writes to a job: the function of a trigger on any table.';
