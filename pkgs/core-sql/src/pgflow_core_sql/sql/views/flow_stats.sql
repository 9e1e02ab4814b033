-- How flows have fared in the last 24 hours.
create or replace view pgflow.flow_stats as
select
  flow.flow_slug,
  recent.started_runs,
  recent.completed_runs,
  recent.failed_runs,
  recent.cancelled_runs,
  recent.p50_duration,
  recent.p95_duration
from pgflow.flows as flow
cross join lateral (
  select
    count(*) filter (where run.status = 'started') as started_runs,
    count(*) filter (where run.status = 'completed') as completed_runs,
    count(*) filter (where run.status = 'failed') as failed_runs,
    count(*) filter (where run.status = 'cancelled') as cancelled_runs,
    percentile_cont(0.5) within group (order by run.completed_at - run.started_at) as p50_duration,
    percentile_cont(0.95) within group (order by run.completed_at - run.started_at) as p95_duration
  from pgflow.runs as run
  where run.flow_slug = flow.flow_slug
    -- Ids are ordered by time, so this bound keeps the history out of the scan.
    and run.run_id >= pgflow.run_id_at(now() - interval '24 hours')
    and run.started_at >= now() - interval '24 hours'
) as recent;

comment on view pgflow.flow_stats is
'How flows have fared in the last 24 hours: runs by status, and how long completed ones took.';

comment on column pgflow.flow_stats.flow_slug is 'The flow.';
comment on column pgflow.flow_stats.started_runs is 'Runs of the last 24 hours that are under way.';
comment on column pgflow.flow_stats.completed_runs is 'Those that completed.';
comment on column pgflow.flow_stats.failed_runs is 'Those that failed.';
comment on column pgflow.flow_stats.cancelled_runs is 'Those that were cancelled.';
comment on column pgflow.flow_stats.p50_duration is 'Median duration of completed ones.';
comment on column pgflow.flow_stats.p95_duration is '95th percentile of their duration.';
