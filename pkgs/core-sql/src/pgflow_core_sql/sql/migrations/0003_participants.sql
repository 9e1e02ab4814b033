-- Who takes part: workers, who among them sleeps, and who watches runs.

create table pgflow.workers (
  worker_id uuid primary key,
  queue_name text not null,
  function_name text not null,
  flow_slugs text [] not null default '{}',
  lease_seconds int not null default 8,
  started_at timestamptz not null default now(),
  deprecated_at timestamptz,
  stopped_at timestamptz,
  last_heartbeat_at timestamptz not null default now(),
  constraint lease_is_positive check (lease_seconds > 0)
) with (fillfactor = 50);

comment on table pgflow.workers is 'One row a worker process that has registered.';
comment on column pgflow.workers.worker_id is 'Id of the worker, new at each start.';
comment on column pgflow.workers.queue_name is
'First of the flows it serves; kept for tools that read one name.';
comment on column pgflow.workers.function_name is
'Where it runs, for people: host and process id, or a function''s name.';
comment on column pgflow.workers.flow_slugs is 'The flows it serves.';
comment on column pgflow.workers.lease_seconds is
'Seconds without a heartbeat after which its tasks are taken from it.';
comment on column pgflow.workers.started_at is 'When it registered.';
comment on column pgflow.workers.deprecated_at is 'Set by people to make it drain and stop.';
comment on column pgflow.workers.stopped_at is 'When it stopped in good order.';
comment on column pgflow.workers.last_heartbeat_at is 'When it last said that it is alive.';

-- Marks of who sleeps and who watches. Unlogged: losing them in a crash costs one poll, and writing
-- them costs no flush to disk.
create unlogged table pgflow.waiting_workers (
  flow_slug text collate "C" not null,
  worker_id uuid not null,
  waiting_since timestamptz not null default clock_timestamp(),
  primary key (flow_slug, worker_id)
);

comment on table pgflow.waiting_workers is
'Workers that found no work: whoever makes work ready for the flow notifies.';
comment on column pgflow.waiting_workers.flow_slug is 'A flow that the worker serves.';
comment on column pgflow.waiting_workers.worker_id is 'The worker.';
comment on column pgflow.waiting_workers.waiting_since is 'When it found no work.';

-- Serves: a worker taking back its mark.
create index waiting_workers_of_worker_idx on pgflow.waiting_workers (worker_id);

create unlogged table pgflow.run_watchers (
  run_id uuid not null,
  watcher_id uuid not null,
  ends_only boolean not null default false,
  expires_at timestamptz not null,
  primary key (run_id, watcher_id)
);

-- Serves: forgetting watchers that went away without a word.
create index run_watchers_expiry_idx on pgflow.run_watchers (expires_at);

comment on table pgflow.run_watchers is
'Clients that watch a run: whoever changes the run notifies.';
comment on column pgflow.run_watchers.run_id is 'The run.';
comment on column pgflow.run_watchers.watcher_id is 'The client.';
comment on column pgflow.run_watchers.ends_only is
'Whether only the end of the run is of interest.';
comment on column pgflow.run_watchers.expires_at is 'When the watch ends unless it is renewed.';
