-- Find runs that ended longer ago than the policy of their flow keeps them, and lock them.
--
-- Each flow is searched on its own, from its oldest run: one without a policy costs nothing.
-- In partitioned tables only whole months are, a day after they could have been dropped: something
-- in them stands against that.
--
-- Parameters:
--   quantity: how many at most.
-- Returns: the runs; never NULL. Those whose ids were given and are not ordered by time are found
--   by another index, which is empty for everybody else.
-- Locks: the runs for update, skipping those that others hold.
-- Idempotent: yes.
create or replace function pgflow._lock_runs_past_retention(quantity int)
returns uuid []
language plpgsql
set enable_seqscan to off
as $$
declare
  v_is_partitioned boolean := pgflow._is_partitioned();
  v_policy record;
  v_run_ids uuid[] := array[]::uuid[];
begin
  for v_policy in
    select
      flow.flow_slug,
      now() - least(policy.retention, '4000 years') as before,
      case
        when v_is_partitioned then pgflow._month_bound(
          now() - least(policy.retention, '4000 years') - interval '1 day', 0
        )
        else pgflow.run_id_at(
          now() - least(policy.retention, '4000 years') + interval '1 millisecond'
        )
      end as bound
    from pgflow.flows as flow
    cross join lateral (
      select each.retention
      from pgflow.retention_policies as each
      where each.flow_slug in (flow.flow_name, '*')
      order by each.flow_slug = '*'
      limit 1
    ) as policy
    -- A flow with much to delete is not to keep the others waiting for ever.
    order by random()
  loop
    exit when cardinality(v_run_ids) >= _lock_runs_past_retention.quantity;
    v_run_ids := v_run_ids || array(
      select run.run_id
      from pgflow.runs as run
      where run.flow_slug = v_policy.flow_slug and run.run_id < v_policy.bound
        and run.status <> 'started'
        and coalesce(run.completed_at, run.failed_at, run.cancelled_at) < v_policy.before
      order by run.run_id
      limit _lock_runs_past_retention.quantity - cardinality(v_run_ids)
      for update skip locked
    );
    v_run_ids := v_run_ids || array(
      select run.run_id
      from pgflow.runs as run
      where get_byte(uuid_send(run.run_id), 6) >> 4 <> 7 and run.run_id >= v_policy.bound
        and run.started_at < v_policy.before and run.flow_slug = v_policy.flow_slug
        and run.status <> 'started'
        and coalesce(run.completed_at, run.failed_at, run.cancelled_at) < v_policy.before
      order by run.started_at
      limit _lock_runs_past_retention.quantity - cardinality(v_run_ids)
      for update skip locked
    );
  end loop;
  return v_run_ids;
end
$$;

comment on function pgflow._lock_runs_past_retention is
'Find runs that ended longer ago than the policy of their flow keeps them, and lock them.';
