-- Claim tasks of several flows, each of which gets its share where several have work.
--
-- Parameters:
--   flow_slugs, quantity, worker_id, room: as in claim_tasks.
-- Returns: the tasks, as claim_tasks does.
-- Errors: PF007 the worker is not registered. PF015 the room is none.
-- Locks: the tasks, skipping those that others hold.
-- Writes: step_tasks, waiting_workers.
-- Idempotent: no.
create or replace function pgflow._claim_batch(
  flow_slugs text [], quantity int, worker_id uuid, room jsonb
)
returns setof pgflow.step_task_record
language plpgsql
as $$
declare
  v_quantity int := greatest(coalesce(_claim_batch.quantity, 0), 0);
  v_claimed int;
begin
  perform pgflow._require_worker(_claim_batch.worker_id);
  perform pgflow._queue_due_tasks(_claim_batch.flow_slugs);
  if cardinality(_claim_batch.flow_slugs) = 1 and _claim_batch.room is null
    and not exists (
      select from pgflow.steps as step
      where step.flow_slug = _claim_batch.flow_slugs[1] and step.claimed_apart
    ) then
    return query
    select task.*
    from pgflow._claim_queue_tasks(
      _claim_batch.flow_slugs[1], null, v_quantity, _claim_batch.worker_id
    ) as task;
  else
    return query
    select task.*
    from pgflow._claim_shares(
      _claim_batch.flow_slugs, v_quantity, _claim_batch.worker_id, _claim_batch.room
    ) as task;
  end if;
  get diagnostics v_claimed = row_count;
  -- A worker that got all it asked for may have no room left; with room, it still waits for more.
  if v_claimed = v_quantity and v_claimed > 0 then
    delete from pgflow.waiting_workers as waiting
    where waiting.worker_id = _claim_batch.worker_id;
  end if;
end
$$;

comment on function pgflow._claim_batch is
'Claim tasks of several flows, each of which gets its share where several have work.';
