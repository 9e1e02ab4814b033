-- Find the place of an element in the order of the queue: a second behind the one before it.
--
-- Whatever becomes ready later goes before the tail of a map, as long as the map is served faster
-- than one element a second. This orders claims and delays none.
--
-- Parameters:
--   ready_at: when the map became ready.
--   task_index: the element, counted among those that became ready with it.
-- Returns: the element's order_at.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._place_in_queue(ready_at timestamptz, task_index bigint)
returns timestamptz
language sql
stable
parallel safe
begin atomic
  select _place_in_queue.ready_at + _place_in_queue.task_index * interval '1 second';
end;

comment on function pgflow._place_in_queue is
'Find the place of an element in the order of the queue: a second behind the one before it.';
