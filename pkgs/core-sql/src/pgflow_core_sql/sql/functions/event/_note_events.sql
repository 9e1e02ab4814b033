-- Add events to those that the transaction has noted.
--
-- Parameters:
--   events: [rank, run id, step slug or null, status] each.
-- Returns: nothing.
-- Locks: none.
-- Writes: the transaction's setting pgflow.events, a JSON array.
-- Idempotent: no.
create or replace function pgflow._note_events(events jsonb [])
returns void
language plpgsql
as $$
begin
  if cardinality(_note_events.events) > 0 then
    perform set_config(
      'pgflow.events',
      (
        coalesce(nullif(current_setting('pgflow.events', true), '')::jsonb, '[]')
        || to_jsonb(_note_events.events)
      )::text,
      true
    );
  end if;
end
$$;

comment on function pgflow._note_events is 'Add events to those that the transaction has noted.';
