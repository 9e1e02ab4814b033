-- Lock the tasks that are next in a queue from where an earlier look of this session ended.
--
-- Parameters:
--   flow_slug, quantity: as in _claim_queue_tasks.
-- Returns: as _lock_queued_tasks. No row where the note has served its time, a higher priority
--   waits, or nothing is left from there: then look from the beginning.
-- Locks: those rows of step_tasks, with skip locked.
-- Idempotent: yes.
create or replace function pgflow._lock_tasks_from_note(flow_slug text, quantity int)
returns table (partition oid, places tid [])
language plpgsql
as $$
declare
  -- Priority, place and end, in microseconds since 1970: as numbers, no setting changes their text.
  v_note bigint[] := string_to_array(
    current_setting(pgflow._queue_setting(_lock_tasks_from_note.flow_slug), true), ' '
  )::bigint[];
  v_from timestamptz := to_timestamp(v_note[2] / 1000000.0) - interval '1 millisecond';
  v_locked record;
begin
  if to_timestamp(v_note[3] / 1000000.0) > clock_timestamp() and not exists (
    select from pgflow.step_tasks as task
    where task.flow_slug = _lock_tasks_from_note.flow_slug and task.status = 'queued'
      and task.order_at < 'infinity' and not task.claimed_apart and task.priority > v_note[1]
  ) then
    for v_locked in
      select locked.partition, array_agg(locked.place) as places, max(locked.order_at) as order_at
      from (
        select ready.ctid as place, ready.tableoid as partition, ready.order_at
        from pgflow.step_tasks as ready
        where ready.flow_slug = _lock_tasks_from_note.flow_slug and ready.status = 'queued'
          and ready.priority = v_note[1]::smallint and ready.order_at >= v_from
          and ready.order_at < 'infinity' and not ready.claimed_apart
        order by ready.order_at
        limit _lock_tasks_from_note.quantity
        for no key update skip locked
      ) as locked
      group by locked.partition
    loop
      partition := v_locked.partition;
      places := v_locked.places;
      return next;
    end loop;
  end if;
  if v_locked is null then
    perform set_config(pgflow._queue_setting(_lock_tasks_from_note.flow_slug), '', false);
  else
    perform pgflow._note_queue(
      _lock_tasks_from_note.flow_slug, v_note[1]::smallint, v_locked.order_at,
      to_timestamp(v_note[3] / 1000000.0)
    );
  end if;
end
$$;

comment on function pgflow._lock_tasks_from_note is
'Lock the tasks that are next in a queue from where an earlier look of this session ended.';
