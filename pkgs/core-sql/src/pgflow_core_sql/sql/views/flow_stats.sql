-- How flows have fared in the last 24 hours. Reads the runs of that time, once, and no others.
create or replace view pgflow.flow_stats as
with recent as (
  select
    -- All versions of a flow are one here.
    split_part(run.flow_slug, '@', 1) as flow_name,
    count(*) filter (where run.status = 'started') as started_runs,
    count(*) filter (where run.status = 'completed') as completed_runs,
    count(*) filter (where run.status = 'failed') as failed_runs,
    count(*) filter (where run.status = 'cancelled') as cancelled_runs,
    percentile_cont(0.5) within group (order by run.completed_at - run.started_at) as p50_duration,
    percentile_cont(0.95) within group (order by run.completed_at - run.started_at) as p95_duration
  from pgflow.runs as run
  -- Ids are ordered by time, so this bound keeps the history out of the scan.
  where run.run_id >= pgflow.run_id_at(statement_timestamp() - interval '24 hours')
    and run.started_at >= statement_timestamp() - interval '24 hours'
  group by flow_name
)

select
  flow.flow_slug,
  coalesce(recent.started_runs, 0) as started_runs,
  coalesce(recent.completed_runs, 0) as completed_runs,
  coalesce(recent.failed_runs, 0) as failed_runs,
  coalesce(recent.cancelled_runs, 0) as cancelled_runs,
  recent.p50_duration,
  recent.p95_duration
from pgflow.flows as flow
left join recent on recent.flow_name = flow.flow_slug
where flow.version = 1;

comment on view pgflow.flow_stats is
'How flows have fared in the last 24 hours: runs by status, and how long completed ones took.';

comment on column pgflow.flow_stats.flow_slug is 'The flow, with all its versions.';
comment on column pgflow.flow_stats.started_runs is 'Runs of the last 24 hours that are under way.';
comment on column pgflow.flow_stats.completed_runs is 'Those that completed.';
comment on column pgflow.flow_stats.failed_runs is 'Those that failed.';
comment on column pgflow.flow_stats.cancelled_runs is 'Those that were cancelled.';
comment on column pgflow.flow_stats.p50_duration is 'Median duration of completed ones.';
comment on column pgflow.flow_stats.p95_duration is '95th percentile of their duration.';
