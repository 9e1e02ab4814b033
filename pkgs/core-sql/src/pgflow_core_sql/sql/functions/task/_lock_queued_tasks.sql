-- Lock the tasks that are next in a queue, passing over those that somebody else holds.
--
-- While an old snapshot is open, index entries of claimed tasks stay, and each look at a queue from
-- its beginning passes over all of them. A look that took long is noted in the session, with where
-- it ended, and for some time the next ones begin there. A task that comes in before that place, as
-- one of a transaction that took long, waits until then at most.
--
-- Parameters:
--   flow_slug, step_slug, quantity: as in _claim_queue_tasks.
-- Returns: the places of their rows in step_tasks; of a partitioned step_tasks a row for each
--   partition, which has places of its own. No row where none is there.
-- Locks: those rows of step_tasks, with skip locked.
-- Idempotent: yes.
create or replace function pgflow._lock_queued_tasks(
  flow_slug text, step_slug text, quantity int
)
returns table (partition oid, places tid [])
language plpgsql
as $$
declare
  v_began timestamptz := clock_timestamp();
  v_locked record;
begin
  if _lock_queued_tasks.step_slug is not null then
    return query select locked.* from pgflow._lock_tasks_of_step(
      _lock_queued_tasks.flow_slug, _lock_queued_tasks.step_slug, _lock_queued_tasks.quantity
    ) as locked;
    return;
  end if;
  -- Anybody may set it, in a session that a pooler shares out for others too.
  if current_setting(pgflow._queue_setting(_lock_queued_tasks.flow_slug), true)
    ~ '^-?[0-3]?\d{1,4} \d{1,18} \d{1,18}$' then
    return query select locked.* from pgflow._lock_tasks_from_note(
      _lock_queued_tasks.flow_slug, _lock_queued_tasks.quantity
    ) as locked;
    if found then
      return;
    end if;
  end if;
  for v_locked in
    select locked.partition, array_agg(locked.place) as places,
      (array_agg(locked.priority))[count(*)] as priority,
      (array_agg(locked.order_at))[count(*)] as order_at
    from (
      select ready.ctid as place, ready.tableoid as partition, ready.priority, ready.order_at
      from pgflow.step_tasks as ready
      where ready.flow_slug = _lock_queued_tasks.flow_slug and ready.status = 'queued'
        and ready.order_at < 'infinity' and not ready.claimed_apart
      order by ready.priority desc, ready.order_at
      limit _lock_queued_tasks.quantity
      for no key update skip locked
    ) as locked
    group by locked.partition
  loop
    partition := v_locked.partition;
    places := v_locked.places;
    return next;
  end loop;
  if clock_timestamp() - v_began > interval '3 milliseconds' and v_locked is not null then
    perform pgflow._note_queue(
      _lock_queued_tasks.flow_slug, v_locked.priority, v_locked.order_at,
      clock_timestamp() + 20 * (clock_timestamp() - v_began)
    );
  end if;
end
$$;

comment on function pgflow._lock_queued_tasks is
'Lock the tasks that are next in a queue, passing over those that somebody else holds.';
