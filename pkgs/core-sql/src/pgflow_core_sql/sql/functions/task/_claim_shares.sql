-- Claim tasks of several queues: of each its share, and then all that is left to claim of any.
--
-- Parameters:
--   flow_slugs, quantity, worker_id, room: as in claim_tasks.
-- Returns: the tasks, as claim_tasks does.
-- Errors: PF015 the room is none.
-- Locks: the tasks, skipping those that others hold.
-- Writes: step_tasks.
-- Idempotent: no.
create or replace function pgflow._claim_shares(
  flow_slugs text [], quantity int, worker_id uuid, room jsonb
)
returns setof pgflow.step_task_record
language plpgsql
as $$
declare
  v_flow_slugs text[];
  v_step_slugs text[];
  v_count int;
  v_left int := _claim_shares.quantity;
  v_share int;
  v_place int;
  v_most int;
begin
  if _claim_shares.room is not null then
    perform pgflow._require_room(_claim_shares.room);
  end if;
  select
    array_agg(queue.flow_slug), array_agg(queue.step_slug), count(*)
  into v_flow_slugs, v_step_slugs, v_count
  from pgflow._queues_with_work(_claim_shares.flow_slugs) as queue;
  v_share := ceil(v_left::numeric / greatest(v_count, 1));
  for v_turn in 0 .. 2 * v_count - 1 loop
    exit when v_left <= 0;
    v_place := v_turn % v_count + 1;
    -- An absent limit is NULL, which least passes over. In the second round, no share is one.
    v_most := least(
      case when v_turn < v_count then v_share end, v_left,
      (_claim_shares.room ->> v_flow_slugs[v_place])::int,
      (_claim_shares.room ->> format('%s.%s', v_flow_slugs[v_place], v_step_slugs[v_place]))::int
    );
    continue when v_most <= 0;
    return query
    select task.*
    from pgflow._claim_queue_tasks(
      v_flow_slugs[v_place], v_step_slugs[v_place], v_most, _claim_shares.worker_id
    ) as task;
    get diagnostics v_most = row_count;
    v_left := v_left - v_most;
    _claim_shares.room := pgflow._less_room(
      _claim_shares.room, v_flow_slugs[v_place], v_step_slugs[v_place], v_most
    );
  end loop;
end
$$;

comment on function pgflow._claim_shares is
'Claim tasks of several queues: of each its share, and then all that is left to claim of any.';
