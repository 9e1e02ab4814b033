-- Claim tasks of several flows, each of which gets its share where several have work.
--
-- Parameters:
--   flow_slugs, quantity, worker_id: as in claim_tasks.
-- Returns: the tasks, as claim_tasks does.
-- Errors: PF007 the worker is not registered.
-- Locks: the tasks, skipping those that others hold.
-- Writes: step_tasks, waiting_workers.
-- Idempotent: no.
create or replace function pgflow._claim_batch(flow_slugs text [], quantity int, worker_id uuid)
returns setof pgflow.step_task_record
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  v_flow_slugs text[] := _claim_batch.flow_slugs;
  v_left int := coalesce(_claim_batch.quantity, 0);
  v_share int;
  v_claimed int;
  v_flow_slug text;
begin
  perform pgflow._require_worker(_claim_batch.worker_id);
  perform pgflow._queue_due_tasks(_claim_batch.flow_slugs);
  if cardinality(v_flow_slugs) > 1 then
    v_flow_slugs := pgflow._flows_with_work(_claim_batch.flow_slugs);
  end if;
  -- The first round gives each flow its share, the second gives away what they left.
  v_share := ceil(v_left::numeric / greatest(cardinality(v_flow_slugs), 1));
  foreach v_flow_slug in array v_flow_slugs || case
    when cardinality(v_flow_slugs) > 1 then v_flow_slugs else '{}'
  end loop
    exit when v_left <= 0;
    return query
    select task.*
    from pgflow._claim_flow_tasks(
      v_flow_slug, least(v_share, v_left), _claim_batch.worker_id
    ) as task;
    get diagnostics v_claimed = row_count;
    v_left := v_left - v_claimed;
  end loop;
  -- A worker that got all it asked for may have no room left; with room, it still waits for more.
  if v_left = 0 and _claim_batch.quantity > 0 then
    delete from pgflow.waiting_workers as waiting
    where waiting.worker_id = _claim_batch.worker_id;
  end if;
end
$$;

comment on function pgflow._claim_batch is
'Claim tasks of several flows, each of which gets its share where several have work.';
