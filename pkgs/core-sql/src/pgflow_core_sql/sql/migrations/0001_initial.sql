-- The tables of pgflow: what a flow is (flows, steps, deps), what happens (runs, step_states,
-- step_tasks, task_attempts), and who takes part (workers, waiting_workers, run_watchers).
--
-- Hot tables carry no foreign keys: only functions of this schema write to them, and a check for
-- each row would cost as much as the row. Slugs compare bytewise (collate "C"), which is what
-- slugs need and several times faster in an index than a language's order.

create table pgflow.flows (
  flow_slug text collate "C" primary key,
  opt_max_attempts int not null default 3,
  opt_base_delay int not null default 5,
  opt_timeout int not null default 60,
  opt_max_delay int not null default 3600,
  opt_jitter double precision not null default 0,
  input_schema jsonb,
  created_at timestamptz not null default now(),
  constraint slug_is_valid check (
    flow_slug ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$' and flow_slug <> 'run'
  ),
  constraint max_attempts_is_not_negative check (opt_max_attempts >= 0),
  constraint base_delay_is_not_negative check (opt_base_delay >= 0),
  constraint timeout_is_positive check (opt_timeout > 0),
  constraint max_delay_is_not_negative check (opt_max_delay >= 0),
  constraint jitter_is_a_fraction check (opt_jitter between 0 and 1)
);

comment on table pgflow.flows is 'One row a flow: its slug and the options its steps inherit.';
comment on column pgflow.flows.flow_slug is 'Name of the flow, unique in the database.';
comment on column pgflow.flows.opt_max_attempts is 'How often a task is tried, the first time included; 0 and 1 both mean once.';
comment on column pgflow.flows.opt_base_delay is 'Seconds that a retry delay starts from: base_delay * 2^attempts_count.';
comment on column pgflow.flows.opt_timeout is 'Seconds that one attempt of a task may take.';
comment on column pgflow.flows.opt_max_delay is 'Longest retry delay in seconds.';
comment on column pgflow.flows.opt_jitter is 'Fraction of a retry delay that is drawn at random, 0 to 1.';
comment on column pgflow.flows.input_schema is 'JSON Schema of the flow input, for people and tools.';
comment on column pgflow.flows.created_at is 'When the flow was first compiled.';

create table pgflow.steps (
  flow_slug text collate "C" not null references pgflow.flows (flow_slug),
  step_slug text collate "C" not null,
  step_type text not null default 'single',
  step_index int not null,
  deps_count int not null default 0,
  opt_max_attempts int,
  opt_base_delay int,
  opt_timeout int,
  opt_start_delay int,
  opt_max_delay int,
  opt_jitter double precision,
  required_input_pattern jsonb,
  forbidden_input_pattern jsonb,
  when_unmet text not null default 'skip',
  when_exhausted text not null default 'fail',
  map_over text collate "C",
  takes_flow_input boolean not null default false,
  is_leaf boolean not null default true,
  feeds_map boolean not null default false,
  may_fail_run boolean not null default false,
  output_schema jsonb,
  created_at timestamptz not null default now(),
  primary key (flow_slug, step_slug),
  constraint index_is_unique_in_flow unique (flow_slug, step_index),
  constraint slug_is_valid check (
    step_slug ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$' and step_slug <> 'run'
  ),
  constraint type_is_known check (step_type in ('single', 'map')),
  constraint deps_count_is_not_negative check (deps_count >= 0),
  constraint max_attempts_is_not_negative check (opt_max_attempts >= 0),
  constraint base_delay_is_not_negative check (opt_base_delay >= 0),
  constraint timeout_is_positive check (opt_timeout > 0),
  constraint start_delay_is_not_negative check (opt_start_delay >= 0),
  constraint max_delay_is_not_negative check (opt_max_delay >= 0),
  constraint jitter_is_a_fraction check (opt_jitter between 0 and 1),
  constraint required_pattern_is_an_object check (jsonb_typeof(required_input_pattern) = 'object'),
  constraint forbidden_pattern_is_an_object check (jsonb_typeof(forbidden_input_pattern) = 'object'),
  constraint when_unmet_is_known check (when_unmet in ('fail', 'skip', 'skip-cascade')),
  constraint when_exhausted_is_known check (when_exhausted in ('fail', 'skip', 'skip-cascade')),
  constraint only_maps_map_over_something check ((step_type = 'map') = (map_over is not null))
);

comment on table pgflow.steps is 'One row a step of a flow, in topological order of step_index.';
comment on column pgflow.steps.flow_slug is 'The flow that the step belongs to.';
comment on column pgflow.steps.step_slug is 'Name of the step, unique in its flow.';
comment on column pgflow.steps.step_type is '''single'': one task; ''map'': one task for each element of an array.';
comment on column pgflow.steps.step_index is 'Place of the step in its flow, counted from 0.';
comment on column pgflow.steps.deps_count is 'Number of rows in deps for the step.';
comment on column pgflow.steps.opt_max_attempts is 'Overrides the flow''s option; NULL inherits it.';
comment on column pgflow.steps.opt_base_delay is 'Overrides the flow''s option, in seconds; NULL inherits it.';
comment on column pgflow.steps.opt_timeout is 'Overrides the flow''s option, in seconds; NULL inherits it.';
comment on column pgflow.steps.opt_start_delay is 'Seconds between the start of the step and its tasks being claimable; NULL is none.';
comment on column pgflow.steps.opt_max_delay is 'Overrides the flow''s option, in seconds; NULL inherits it.';
comment on column pgflow.steps.opt_jitter is 'Overrides the flow''s option; NULL inherits it.';
comment on column pgflow.steps.required_input_pattern is 'JSON object that the step''s input has to contain for the step to run.';
comment on column pgflow.steps.forbidden_input_pattern is 'JSON object that the step''s input may not contain for the step to run.';
comment on column pgflow.steps.when_unmet is 'What an unmet condition does: fail the run, skip the step, or skip it and all that depends on it.';
comment on column pgflow.steps.when_exhausted is 'What a task without attempts left does: fail the run, skip the step, or skip it and all that depends on it.';
comment on column pgflow.steps.map_over is 'For a map: the dependency whose array it maps over, or ''run'' for the flow input.';
comment on column pgflow.steps.takes_flow_input is 'Whether tasks receive the flow input beside their dependencies.';
comment on column pgflow.steps.is_leaf is 'Whether no step depends on it, so that its output is part of the run''s.';
comment on column pgflow.steps.feeds_map is 'Whether it is a single step that a map maps over, so that its output has to be an array.';
comment on column pgflow.steps.may_fail_run is 'Whether its completion can fail the run: a later step has a condition that fails when unmet.';
comment on column pgflow.steps.output_schema is 'JSON Schema of the output of one task, for people and tools.';
comment on column pgflow.steps.created_at is 'When the step was first compiled.';

create table pgflow.deps (
  flow_slug text collate "C" not null,
  dep_slug text collate "C" not null,
  step_slug text collate "C" not null,
  orders_only boolean not null default false,
  created_at timestamptz not null default now(),
  primary key (flow_slug, dep_slug, step_slug),
  constraint step_exists foreign key (flow_slug, step_slug) references pgflow.steps (flow_slug, step_slug),
  constraint dep_exists foreign key (flow_slug, dep_slug) references pgflow.steps (flow_slug, step_slug),
  constraint step_does_not_depend_on_itself check (dep_slug <> step_slug)
);

-- Serves: assembling a step's input from its dependencies, and the foreign key to the step.
create index deps_of_step_idx on pgflow.deps (flow_slug, step_slug);

comment on table pgflow.deps is 'One row an edge of a flow: step_slug waits for dep_slug.';
comment on column pgflow.deps.flow_slug is 'The flow of both steps.';
comment on column pgflow.deps.dep_slug is 'The step that is waited for.';
comment on column pgflow.deps.step_slug is 'The step that waits.';
comment on column pgflow.deps.orders_only is 'Whether the edge only orders: the output of dep_slug is not part of the input.';
comment on column pgflow.deps.created_at is 'When the edge was first compiled.';

create table pgflow.runs (
  run_id uuid primary key,
  flow_slug text collate "C" not null references pgflow.flows (flow_slug),
  status text not null default 'started',
  input jsonb not null,
  output jsonb,
  remaining_steps int not null,
  priority smallint not null default 0,
  first_attempt int not null default 0,
  error_message text,
  failed_step_slug text collate "C",
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  failed_at timestamptz,
  cancelled_at timestamptz,
  constraint status_is_known check (status in ('started', 'completed', 'failed', 'cancelled')),
  constraint remaining_steps_is_not_negative check (remaining_steps >= 0),
  constraint ends_once check (num_nonnulls(completed_at, failed_at, cancelled_at) <= 1),
  constraint output_only_when_completed check (output is null or status = 'completed')
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1);

-- Serves: lists of a flow's runs, newest first (run ids are UUIDv7, ordered by time).
create index runs_of_flow_idx on pgflow.runs (flow_slug, run_id);

comment on table pgflow.runs is 'One row an execution of a flow.';
comment on column pgflow.runs.run_id is 'Id of the run, a UUIDv7 unless the starter gave one.';
comment on column pgflow.runs.flow_slug is 'The flow that is run.';
comment on column pgflow.runs.status is 'started, then exactly one of completed, failed, cancelled.';
comment on column pgflow.runs.input is 'The flow input.';
comment on column pgflow.runs.output is '{leaf step: output} over the completed leaf steps, once the run is completed.';
comment on column pgflow.runs.remaining_steps is 'Number of steps that are neither completed nor skipped.';
comment on column pgflow.runs.priority is 'Tasks of a run with a higher priority are claimed first.';
comment on column pgflow.runs.first_attempt is 'attempts_count that new tasks begin with: above all that were given out before steps were repeated.';
comment on column pgflow.runs.error_message is 'Why the run failed, or was cancelled.';
comment on column pgflow.runs.failed_step_slug is 'The step that failed the run.';
comment on column pgflow.runs.started_at is 'When the run was started.';
comment on column pgflow.runs.completed_at is 'When the run completed.';
comment on column pgflow.runs.failed_at is 'When the run failed.';
comment on column pgflow.runs.cancelled_at is 'When the run was cancelled.';

-- Serves: prune_data_older_than. A summary of pages, which costs a running system next to nothing.
create index runs_started_idx on pgflow.runs using brin (started_at) with (autosummarize = on);

create table pgflow.run_keys (
  flow_slug text collate "C" not null,
  idempotency_key text collate "C" not null,
  run_id uuid not null,
  expires_at timestamptz not null default 'infinity',
  primary key (flow_slug, idempotency_key),
  constraint key_is_not_too_long check (length(idempotency_key) between 1 and 500)
);

-- Serves: deleting the keys of a run with it.
create index run_keys_of_run_idx on pgflow.run_keys (run_id);

comment on table pgflow.run_keys is 'One row an idempotency key that a run was started with.';
comment on column pgflow.run_keys.flow_slug is 'The flow that was started.';
comment on column pgflow.run_keys.idempotency_key is 'The caller''s key, unique in the flow.';
comment on column pgflow.run_keys.run_id is 'The run that it stands for.';
comment on column pgflow.run_keys.expires_at is 'When the key may start another run; infinity is as long as the run is kept.';

create table pgflow.step_states (
  run_id uuid not null,
  step_slug text collate "C" not null,
  flow_slug text collate "C" not null,
  status text not null default 'created',
  remaining_tasks int,
  initial_tasks int,
  remaining_deps int not null,
  output jsonb,
  error_message text,
  skip_reason text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  failed_at timestamptz,
  skipped_at timestamptz,
  cancelled_at timestamptz,
  primary key (run_id, step_slug),
  constraint status_is_known check (
    status in ('created', 'started', 'completed', 'failed', 'skipped', 'cancelled')
  ),
  constraint remaining_tasks_is_not_negative check (remaining_tasks >= 0),
  constraint initial_tasks_is_not_negative check (initial_tasks >= 0),
  constraint remaining_deps_is_not_negative check (remaining_deps >= 0),
  constraint completed_without_tasks_left check (status <> 'completed' or remaining_tasks = 0),
  constraint no_tasks_before_start check (
    status not in ('created', 'skipped') or remaining_tasks is null
  ),
  constraint started_with_known_tasks check (status <> 'started' or initial_tasks is not null),
  constraint output_only_when_completed check (output is null or status = 'completed'),
  constraint skipped_for_a_reason check ((status = 'skipped') = (skip_reason is not null)),
  constraint ends_once check (
    num_nonnulls(completed_at, failed_at, skipped_at, cancelled_at) <= 1
  )
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1);

comment on table pgflow.step_states is 'One row a step of a run: where it stands and what came out.';
comment on column pgflow.step_states.run_id is 'The run.';
comment on column pgflow.step_states.step_slug is 'The step.';
comment on column pgflow.step_states.flow_slug is 'The flow of the run.';
comment on column pgflow.step_states.status is 'created, started, then one of completed, failed, skipped, cancelled.';
comment on column pgflow.step_states.remaining_tasks is 'Number of tasks that are not completed; NULL until the step starts.';
comment on column pgflow.step_states.initial_tasks is 'Number of tasks of the step; NULL while a map waits for its array.';
comment on column pgflow.step_states.remaining_deps is 'Number of dependencies that are neither completed nor skipped.';
comment on column pgflow.step_states.output is 'Output of the step; of a map, the array of its tasks'' outputs in order.';
comment on column pgflow.step_states.error_message is 'Why the step failed or was skipped after a failure.';
comment on column pgflow.step_states.skip_reason is 'condition_unmet, handler_failed or dependency_skipped.';
comment on column pgflow.step_states.created_at is 'When the run was started.';
comment on column pgflow.step_states.started_at is 'When the step''s tasks came into being.';
comment on column pgflow.step_states.completed_at is 'When the last task completed.';
comment on column pgflow.step_states.failed_at is 'When the step failed.';
comment on column pgflow.step_states.skipped_at is 'When the step was skipped.';
comment on column pgflow.step_states.cancelled_at is 'When the step was cancelled, with its run or because its run failed.';

create table pgflow.step_tasks (
  run_id uuid not null,
  step_slug text collate "C" not null,
  task_index int not null,
  flow_slug text collate "C" not null,
  status text not null default 'queued',
  priority smallint not null default 0,
  attempts_count int not null default 0,
  released_count int not null default 0,
  requeued_count int not null default 0,
  input jsonb,
  output jsonb,
  error_message text,
  last_worker_id uuid,
  order_at timestamptz not null default now(),
  available_at timestamptz not null default now(),
  queued_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  failed_at timestamptz,
  skipped_at timestamptz,
  cancelled_at timestamptz,
  last_requeued_at timestamptz,
  primary key (run_id, step_slug, task_index),
  constraint status_is_known check (
    status in ('queued', 'started', 'completed', 'failed', 'skipped', 'cancelled')
  ),
  constraint attempts_count_is_not_negative check (attempts_count >= 0),
  constraint output_only_when_ended check (output is null or status in ('completed', 'failed')),
  constraint ends_once check (
    num_nonnulls(completed_at, failed_at, skipped_at, cancelled_at) <= 1
  )
) with (
  fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0.1
);

-- Serves: claim_tasks, in the very order in which it claims. Delayed tasks are not in it.
create index step_tasks_claim_idx on pgflow.step_tasks (flow_slug, priority desc, order_at)
where status = 'queued' and order_at < 'infinity';

-- Serves: claim_tasks, to find delayed tasks that have come due; wait_for_tasks, for the next one.
create index step_tasks_delayed_idx on pgflow.step_tasks (flow_slug, available_at)
where status = 'queued' and order_at = 'infinity';

-- Serves: requeue_stalled_tasks, to find what a lost worker held.
-- The worker is part of the predicate only so that no report, which asks for started tasks by
-- their key, can be planned as a scan of this index.
create index step_tasks_held_idx on pgflow.step_tasks (last_worker_id)
where status = 'started' and last_worker_id is not null;

comment on table pgflow.step_tasks is 'One row a task: the unit that workers claim. This table is the queue.';
comment on column pgflow.step_tasks.run_id is 'The run.';
comment on column pgflow.step_tasks.step_slug is 'The step.';
comment on column pgflow.step_tasks.task_index is '0 for a single step; the element''s place in the array for a map.';
comment on column pgflow.step_tasks.flow_slug is 'The flow of the run.';
comment on column pgflow.step_tasks.status is 'queued, started, then one of completed, failed, skipped, cancelled; a retry goes back to queued.';
comment on column pgflow.step_tasks.priority is 'The run''s priority.';
comment on column pgflow.step_tasks.attempts_count is 'Number of times the task was claimed. It never falls, so it also fences stale reports.';
comment on column pgflow.step_tasks.released_count is 'Number of claims that do not count against max_attempts: handed back, or made before the task was given all its attempts again.';
comment on column pgflow.step_tasks.requeued_count is 'Number of times the task was taken from a lost worker.';
comment on column pgflow.step_tasks.input is 'A map''s element where no other row holds it; NULL otherwise.';
comment on column pgflow.step_tasks.output is 'What the handler returned.';
comment on column pgflow.step_tasks.error_message is 'Error of the latest failed attempt.';
comment on column pgflow.step_tasks.last_worker_id is 'The worker of the latest attempt.';
comment on column pgflow.step_tasks.order_at is 'Place in the queue; infinity while the task is delayed. A map''s elements are spread over time so that other runs get their turn.';
comment on column pgflow.step_tasks.available_at is 'When the task may be claimed, at the earliest.';
comment on column pgflow.step_tasks.queued_at is 'When the task came into being.';
comment on column pgflow.step_tasks.started_at is 'When the latest attempt was claimed.';
comment on column pgflow.step_tasks.completed_at is 'When the task completed.';
comment on column pgflow.step_tasks.failed_at is 'When the task failed for good.';
comment on column pgflow.step_tasks.skipped_at is 'When the task ended because its step was skipped.';
comment on column pgflow.step_tasks.cancelled_at is 'When the task ended because its run did.';
comment on column pgflow.step_tasks.last_requeued_at is 'When the task was last taken from a lost worker.';

create table pgflow.task_attempts (
  run_id uuid not null,
  step_slug text collate "C" not null,
  task_index int not null,
  attempt int not null,
  worker_id uuid,
  started_at timestamptz,
  failed_at timestamptz not null default now(),
  retry_at timestamptz,
  error_message text not null,
  error_type text,
  traceback text,
  primary key (run_id, step_slug, task_index, attempt)
);

comment on table pgflow.task_attempts is 'One row a failed attempt of a task. Attempts that succeed leave none.';
comment on column pgflow.task_attempts.run_id is 'The run.';
comment on column pgflow.task_attempts.step_slug is 'The step.';
comment on column pgflow.task_attempts.task_index is 'The task.';
comment on column pgflow.task_attempts.attempt is 'attempts_count of the attempt that failed.';
comment on column pgflow.task_attempts.worker_id is 'The worker that had claimed it.';
comment on column pgflow.task_attempts.started_at is 'When the attempt was claimed.';
comment on column pgflow.task_attempts.failed_at is 'When the failure was recorded.';
comment on column pgflow.task_attempts.retry_at is 'When the next attempt may start; NULL when there is none.';
comment on column pgflow.task_attempts.error_message is 'What went wrong.';
comment on column pgflow.task_attempts.error_type is 'Name of the exception''s class, where the worker gave it.';
comment on column pgflow.task_attempts.traceback is 'Traceback text, where the worker gave it.';

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
comment on column pgflow.workers.queue_name is 'First of the flows it serves; kept for tools that read one name.';
comment on column pgflow.workers.function_name is 'Where it runs, for people: host and process id, or a function''s name.';
comment on column pgflow.workers.flow_slugs is 'The flows it serves.';
comment on column pgflow.workers.lease_seconds is 'Seconds without a heartbeat after which its tasks are taken from it.';
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

comment on table pgflow.waiting_workers is 'Workers that found no work: whoever makes work ready for the flow notifies.';
comment on column pgflow.waiting_workers.flow_slug is 'A flow that the worker serves.';
comment on column pgflow.waiting_workers.worker_id is 'The worker.';
comment on column pgflow.waiting_workers.waiting_since is 'When it found no work.';

-- Serves: a worker taking back its mark.
create index waiting_workers_of_worker_idx on pgflow.waiting_workers (worker_id);

create unlogged table pgflow.run_watchers (
  run_id uuid not null,
  watcher_id uuid not null,
  expires_at timestamptz not null,
  primary key (run_id, watcher_id)
);

-- Serves: forgetting watchers that went away without a word.
create index run_watchers_expiry_idx on pgflow.run_watchers (expires_at);

comment on table pgflow.run_watchers is 'Clients that watch a run: whoever changes the run notifies.';
comment on column pgflow.run_watchers.run_id is 'The run.';
comment on column pgflow.run_watchers.watcher_id is 'The client.';
comment on column pgflow.run_watchers.expires_at is 'When the watch ends unless it is renewed.';

create type pgflow.step_task_record as (
  flow_slug text,
  run_id uuid,
  step_slug text,
  input jsonb,
  task_index int,
  flow_input jsonb,
  attempts_count int,
  refused text
);

comment on type pgflow.step_task_record is
'A claimed task as a worker receives it, or, where refused is not NULL, a report that changed nothing and why.';

create type pgflow.step_verdict as (
  run_id uuid,
  step_slug text,
  flow_slug text,
  step_index int,
  verdict text,
  error_message text
);

comment on type pgflow.step_verdict is
'What is to become of a step: start, complete, fail, skip or skip-cascade.';

create type pgflow.failure_report as (
  run_id uuid,
  step_slug text,
  task_index int,
  attempt int,
  error_message text,
  is_final boolean,
  retry_delay int,
  error_type text,
  traceback text
);

comment on type pgflow.failure_report is
'A failed attempt as it was reported; see fail_tasks.';
