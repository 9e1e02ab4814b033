-- What waits and what is under way, by flow.
create or replace view pgflow.queue_depth as
select
  flow.flow_slug,
  shared.tasks + apart.tasks as ready_tasks,
  statement_timestamp() - least(shared.oldest, apart.oldest) as oldest_ready,
  delayed.tasks as delayed_tasks,
  held.tasks as started_tasks
from pgflow.flows as flow
cross join lateral (
  select
    count(*) as tasks,
    min(task.queued_at) as oldest
  from pgflow.step_tasks as task
  where task.flow_slug = flow.flow_slug and task.status = 'queued'
    and task.order_at < 'infinity' and not task.claimed_apart
) as shared
-- Apart from the others, as the claims are: each has its index.
cross join lateral (
  select
    count(*) as tasks,
    min(task.queued_at) as oldest
  from pgflow.step_tasks as task
  where task.flow_slug = flow.flow_slug and task.status = 'queued'
    and task.order_at < 'infinity' and task.claimed_apart
) as apart
cross join lateral (
  select count(*) as tasks
  from pgflow.step_tasks as task
  where task.flow_slug = flow.flow_slug and task.status = 'queued' and task.order_at = 'infinity'
) as delayed
cross join lateral (
  select count(*) as tasks
  from pgflow.step_tasks as task
  where task.flow_slug = flow.flow_slug and task.status = 'started'
    and task.last_worker_id is not null
) as held;

comment on view pgflow.queue_depth is
'What waits and what is under way, by flow. Reads the indexes of live tasks only, not the history.';

comment on column pgflow.queue_depth.flow_slug is 'The flow; each version is one of its own.';
comment on column pgflow.queue_depth.ready_tasks is 'Tasks that a worker may claim now.';
comment on column pgflow.queue_depth.oldest_ready is 'How long the oldest of them has been there.';
comment on column pgflow.queue_depth.delayed_tasks is 'Tasks that wait for their time.';
comment on column pgflow.queue_depth.started_tasks is 'Tasks that workers hold.';
