-- Store what handlers emitted, for any number of attempts in one call.
--
-- Parameters:
--   run_ids, step_slugs, task_indexes: the tasks, as parallel arrays.
--   attempts: attempts_count of each claim; NULL is the current one.
--   first_numbers: the place of each attempt's first item among all that the attempt has emitted,
--     counted from 1. Items that are stored already are passed over, so a call may be repeated.
--   items: one JSON array a task, with its items in order.
-- Returns: a row for each attempt that counts no longer, with the reason in refused as in
--   find_lost_attempts. Of those no item is stored.
-- Errors: PF008 the arrays differ in length. PF015 items are no array, or are not numbered from 1.
-- Locks: the runs, sorted (for key share), which keeps cancelling and deleting out; then the tasks
--   by key (for share), which keeps a next attempt out; then the rows of streams by key.
-- Writes: streams, stream_items.
-- Idempotent: yes.
create or replace function pgflow.append_to_streams(
  run_ids uuid [], step_slugs text [], task_indexes int [], attempts int [], first_numbers int [],
  items jsonb []
)
returns setof pgflow.step_task_record
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  perform pgflow._require_equal_lengths(array[
    cardinality(append_to_streams.run_ids), cardinality(append_to_streams.step_slugs),
    cardinality(append_to_streams.task_indexes), cardinality(append_to_streams.attempts),
    cardinality(append_to_streams.first_numbers), cardinality(append_to_streams.items)
  ]);
  perform pgflow._require_items(append_to_streams.first_numbers, append_to_streams.items);
  perform pgflow._lock_runs(append_to_streams.run_ids, 'share');
  perform pgflow._append_items(
    append_to_streams.run_ids, append_to_streams.step_slugs, append_to_streams.task_indexes,
    append_to_streams.attempts, append_to_streams.first_numbers, append_to_streams.items
  );
  perform pgflow._wake_watchers(append_to_streams.run_ids, 'pgflow_streams');
  return query
  select lost.*
  from pgflow.find_lost_attempts(
    append_to_streams.run_ids, append_to_streams.step_slugs, append_to_streams.task_indexes,
    append_to_streams.attempts
  ) as lost;
end
$$;

comment on function pgflow.append_to_streams is
'Store what handlers emitted, for any number of attempts in one call.';
