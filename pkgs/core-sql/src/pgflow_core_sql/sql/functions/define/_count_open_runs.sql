-- Count the runs of a version of a flow that have not ended, without reading those that have.
--
-- A run that has not ended has a task that is queued or started.
--
-- Parameters:
--   flow_slug: the version.
--   most: how many tasks of each kind are looked at, at most; so fewer runs may be found than there
--     are, but none only where there is none.
-- Returns: how many were found.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._count_open_runs(flow_slug text, most int default 10000)
returns bigint
language plpgsql
stable
set enable_seqscan to off
as $$
begin
  return (
    select count(distinct open.run_id)
    from (
      (
        select task.run_id from pgflow.step_tasks as task
        where task.flow_slug = _count_open_runs.flow_slug and task.status = 'queued'
          and task.order_at < 'infinity' and not task.claimed_apart
        limit _count_open_runs.most
      ) union all (
        select task.run_id from pgflow.step_tasks as task
        where task.flow_slug = _count_open_runs.flow_slug and task.status = 'queued'
          and task.order_at < 'infinity' and task.claimed_apart
        limit _count_open_runs.most
      ) union all (
        select task.run_id from pgflow.step_tasks as task
        where task.flow_slug = _count_open_runs.flow_slug and task.status = 'queued'
          and task.order_at = 'infinity'
        limit _count_open_runs.most
      ) union all (
        select task.run_id from pgflow.step_tasks as task
        where task.flow_slug = _count_open_runs.flow_slug and task.status = 'started'
          and task.last_worker_id is not null
        limit _count_open_runs.most
      )
    ) as open
  );
end
$$;

comment on function pgflow._count_open_runs is
'Count the runs of a version of a flow that have not ended, without reading those that have.';
