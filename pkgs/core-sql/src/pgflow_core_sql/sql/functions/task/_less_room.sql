-- Take from the room for tasks what was claimed of a queue.
--
-- Parameters:
--   room: as in claim_tasks.
--   flow_slug, step_slug: the queue; a NULL step is that of the flow.
--   claimed: how many tasks.
-- Returns: the room that is left; NULL where nothing is limited.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._less_room(
  room jsonb, flow_slug text, step_slug text, claimed int
)
returns jsonb
language sql
immutable
parallel safe
begin atomic
  select jsonb_object_agg(
    each.queue,
    case
      when each.queue in (
        _less_room.flow_slug, format('%s.%s', _less_room.flow_slug, _less_room.step_slug)
      ) then each.tasks::int - _less_room.claimed
      else each.tasks::int
    end
  )
  from jsonb_each_text(_less_room.room) as each (queue, tasks);
end;

comment on function pgflow._less_room is
'Take from the room for tasks what was claimed of a queue.';
