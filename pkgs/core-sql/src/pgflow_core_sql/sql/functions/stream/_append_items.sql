-- Give items of attempts that count their places, and store them.
--
-- Parameters: as in append_to_streams.
-- Returns: nothing.
-- Locks: the caller holds the runs. Then the tasks by key (for share), and the rows of streams by
--   key.
-- Writes: streams, stream_items.
-- Idempotent: yes, but for gaps between places.
create or replace function pgflow._append_items(
  run_ids uuid [], step_slugs text [], task_indexes int [], attempts int [], first_numbers int [],
  items jsonb []
)
returns void
language plpgsql
set plan_cache_mode to force_generic_plan
set enable_seqscan to off
set enable_bitmapscan to off
set jit to off
as $$
begin
  with held as (
    select
      given.run_id, given.step_slug, given.task_index, task.attempts_count as attempt,
      given.first_number, given.items, jsonb_array_length(given.items) as quantity
    from (
      select each.run_id, each.step_slug, each.task_index, each.attempt, each.first_number,
        each.items
      from unnest(
        _append_items.run_ids, _append_items.step_slugs, _append_items.task_indexes,
        _append_items.attempts, _append_items.first_numbers, _append_items.items
      ) as each (run_id, step_slug, task_index, attempt, first_number, items)
      order by each.run_id, each.step_slug, each.task_index
    ) as given
    cross join lateral (
      select each.attempts_count
      from pgflow.step_tasks as each
      where each.run_id = given.run_id and each.step_slug = given.step_slug
        and each.task_index = given.task_index and each.status = 'started'
        and each.attempts_count = coalesce(given.attempt, each.attempts_count)
      for share
      offset 0
    ) as task
  ),
  lengthened as (
    insert into pgflow.streams as stream (run_id, step_slug, last_position)
    select held.run_id, held.step_slug, sum(held.quantity)
    from held
    group by held.run_id, held.step_slug
    order by held.run_id, held.step_slug
    on conflict on constraint streams_pkey do update
    set last_position = stream.last_position + excluded.last_position
    returning stream.run_id, stream.step_slug, stream.last_position
  )
  insert into pgflow.stream_items (
    run_id, step_slug, task_index, attempt, number, position, value
  )
  select
    own.run_id, own.step_slug, own.task_index, own.attempt, own.first_number + item.place - 1,
    lengthened.last_position - own.and_later + item.place, item.value
  from (
    select held.*, sum(held.quantity) over (
      partition by held.run_id, held.step_slug
      order by held.task_index desc, held.first_number desc rows unbounded preceding
    ) as and_later
    from held
  ) as own
  join lengthened on lengthened.run_id = own.run_id and lengthened.step_slug = own.step_slug
  cross join lateral jsonb_array_elements(own.items) with ordinality as item (value, place)
  on conflict on constraint stream_items_pkey do nothing;
end
$$;

comment on function pgflow._append_items is
'Give items of attempts that count their places, and store them.';
