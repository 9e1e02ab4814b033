-- Cancel the runs of a flow that are under way, newest first, a bounded number at a time.
--
-- Parameters:
--   flow_slug: the flow by its name, for runs of all its versions; or a version, such as name@2.
--   reason: kept as error_message of the runs; NULL for none.
--   quantity: how many runs at most; call again until it returns less.
-- Returns: how many runs were cancelled.
-- Errors: PF001 no such flow. PF015 the quantity is negative.
-- Locks: as cancel_runs.
-- Writes: runs, step_states, step_tasks.
-- Idempotent: yes.
create or replace function pgflow.cancel_flow_runs(
  flow_slug text, reason text default null, quantity int default 1000
)
returns int
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
set enable_bitmapscan to off
set enable_sort to off
as $$
declare
  v_slugs text[] := pgflow._versions_of(cancel_flow_runs.flow_slug);
  v_run_ids uuid[];
  v_cancelled int;
begin
  perform pgflow._require_quantity(cancel_flow_runs.quantity);
  if v_slugs is null then
    perform pgflow._raise_flow_not_found(cancel_flow_runs.flow_slug);
  end if;
  select array_agg(live.run_id) into v_run_ids
  from (
    select each.run_id
    from unnest(v_slugs) as version (slug)
    cross join lateral (
      select run.run_id
      from pgflow.runs as run
      where run.flow_slug = version.slug and run.status = 'started'
      -- The history lies before them, and only the last call has to look through it.
      order by run.run_id desc
      limit cancel_flow_runs.quantity
    ) as each
    limit cancel_flow_runs.quantity
  ) as live;
  select count(*) into v_cancelled
  from pgflow.cancel_runs(v_run_ids, cancel_flow_runs.reason);
  return v_cancelled;
end
$$;

comment on function pgflow.cancel_flow_runs is
'Cancel the runs of a flow that are under way, newest first, a bounded number at a time.';
