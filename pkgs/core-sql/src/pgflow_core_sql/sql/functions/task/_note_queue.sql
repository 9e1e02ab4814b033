-- Note in the session where a look at a queue ended, for the next ones to begin there.
--
-- A note is a hint: it may go or be another session's, and all that changes is where looks begin.
--
-- Parameters:
--   flow_slug: the flow.
--   priority, order_at: of the last task that was locked.
--   until: when to look from the beginning again.
-- Returns: nothing.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._note_queue(
  flow_slug text, priority smallint, order_at timestamptz, until timestamptz
)
returns void
language plpgsql
as $$
begin
  perform set_config(
    pgflow._queue_setting(_note_queue.flow_slug),
    concat_ws(' ', _note_queue.priority,
      (extract(epoch from _note_queue.order_at) * 1000000)::bigint,
      (extract(epoch from _note_queue.until) * 1000000)::bigint),
    false
  );
end
$$;

comment on function pgflow._note_queue is
'Note in the session where a look at a queue ended, for the next ones to begin there.';
