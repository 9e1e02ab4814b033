-- Raise unless the room for tasks is one.
--
-- Parameters:
--   room: as in claim_tasks, and not NULL.
-- Returns: nothing.
-- Errors: PF015 it is no object, or a value in it is no integer.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_room(room jsonb)
returns void
language plpgsql
immutable
as $$
begin
  if jsonb_typeof(_require_room.room) <> 'object'
    or jsonb_path_exists(
      _require_room.room,
      'strict $.* ? (@.type() <> "number" || @ != @.floor() || @ < -2147483648 || @ > 2147483647)'
    ) then
    perform pgflow._refuse_argument(
      'room is an object of queues and how many tasks of each may be claimed',
      format('room=%s', left(_require_room.room::text, 200))
    );
  end if;
end
$$;

comment on function pgflow._require_room is 'Raise unless the room for tasks is one.';
