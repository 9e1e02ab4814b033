-- Claim tasks that are ready: raise their attempt and hand over what their handlers need.
--
-- Parameters:
--   flow_slugs: the flows to serve; each gets its share where several have work.
--   quantity: how many tasks at most.
--   worker_id: the registered worker that claims.
--   room: {queue: tasks} where fewer than quantity may be claimed: of a flow "flow", of one of its
--     steps "flow.step". Such a step has to be claimed apart; see claim_apart.
-- Returns: the tasks. input is {dependency: output} over the completed dependencies of a single
--   step ({} for a root step) and the element of a map; flow_input is the flow input for root
--   single steps and those that ask for it; refused is NULL.
-- Errors: PF007 the worker is not registered. PF015 room is no object of integers.
-- Locks: the tasks, skipping those that others hold. No run.
-- Writes: step_tasks, waiting_workers.
-- Idempotent: no, each call claims other tasks.
create or replace function pgflow.claim_tasks(
  flow_slugs text [], quantity int, worker_id uuid, room jsonb default null
)
returns setof pgflow.step_task_record
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set plan_cache_mode to force_generic_plan
set join_collapse_limit to 1
set enable_seqscan to off
set enable_bitmapscan to off
set enable_hashjoin to off
set enable_mergejoin to off
set jit to off
as $$
begin
  return query
  select task.*
  from pgflow._claim_batch(
    claim_tasks.flow_slugs, claim_tasks.quantity, claim_tasks.worker_id, claim_tasks.room
  ) as task;
end
$$;

comment on function pgflow.claim_tasks is
'Claim tasks that are ready: raise their attempt and hand over what their handlers need.';
