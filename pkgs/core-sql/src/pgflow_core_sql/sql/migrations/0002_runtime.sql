-- What happens: runs, the states of their steps, and their tasks, which are the queue.
--
-- These tables carry no foreign keys: only functions of this schema write to them, a start holds
-- the flow's row, and a check for each row would cost as much as the row. On runs it could even
-- deadlock: the second write of a run in a transaction would lock its flow after the run.
-- For the same reason they carry no CHECKs: PostgreSQL reads the text of each anew in each
-- statement that writes, which made up a third of a start. What must hold of them (the known
-- statuses, that each ends once, that an output is of something completed, ...) is what the tests
-- look for after everything that they do.
--
-- They are analyzed late: plans are kept, and one made for a table that is known to have ten rows
-- would still read all of it when it has a million. Of a table that was never analyzed the planner
-- thinks no less than ten pages.

create table pgflow.runs (
  run_id uuid primary key,
  flow_slug text collate "C" not null,
  status text not null default 'started',
  input jsonb not null,
  output jsonb,
  remaining_steps int not null,
  priority smallint not null default 0,
  first_attempt int not null default 0,
  reopened_count int not null default 0,
  tags jsonb not null default '{}',
  delayed_until timestamptz,
  trace_context jsonb,
  error_message text,
  failed_step_slug text collate "C",
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  failed_at timestamptz,
  cancelled_at timestamptz
) with (
  fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1,
  autovacuum_vacuum_threshold = 1000, autovacuum_analyze_threshold = 1000
);

-- Serves: lists of a flow's runs, newest first (run ids are UUIDv7, ordered by time).
create index runs_of_flow_idx on pgflow.runs (flow_slug, run_id);

-- Serves: finding runs by their tags. Runs without any are not in it.
create index runs_tags_idx on pgflow.runs using gin (tags jsonb_path_ops) where tags <> '{}';

-- Serves: lists of runs that failed or were cancelled. A run that completes is never in it, and its
-- instants are no columns of it, so that its last update stays within its page.
create index runs_ended_badly_idx on pgflow.runs (run_id)
where failed_at is not null or cancelled_at is not null;

comment on table pgflow.runs is 'One row an execution of a flow.';
comment on column pgflow.runs.run_id is 'Id of the run, a UUIDv7 unless the starter gave one.';
comment on column pgflow.runs.flow_slug is 'The flow that is run, in its version.';
comment on column pgflow.runs.status is
'started, then exactly one of completed, failed, cancelled.';
comment on column pgflow.runs.input is 'The flow input.';
comment on column pgflow.runs.output is
'{leaf step: output} over the completed leaf steps, once the run is completed.';
comment on column pgflow.runs.remaining_steps is
'Number of steps that are neither completed nor skipped.';
comment on column pgflow.runs.priority is
'Tasks of a run with a higher priority are claimed first.';
comment on column pgflow.runs.first_attempt is
'attempts_count that new tasks begin with: above all that were given out before steps were '
'repeated.';
comment on column pgflow.runs.reopened_count is
'How often steps of the run were put back to where they had not run, by retry_run or restart_run.';
comment on column pgflow.runs.tags is
'What the starter wrote on the run to find it by: an object of names and JSON values.';
comment on column pgflow.runs.delayed_until is
'Before then no task of the run may be claimed; NULL is no delay.';
comment on column pgflow.runs.trace_context is
'Headers that carry the starter''s trace on, such as {"traceparent": ...}; NULL is none.';
comment on column pgflow.runs.error_message is 'Why the run failed, or was cancelled.';
comment on column pgflow.runs.failed_step_slug is 'The step that failed the run.';
comment on column pgflow.runs.started_at is 'When the run was started.';
comment on column pgflow.runs.completed_at is 'When the run completed.';
comment on column pgflow.runs.failed_at is 'When the run failed.';
comment on column pgflow.runs.cancelled_at is 'When the run was cancelled.';

-- Serves: prune_data_older_than, to find runs whose ids were given and are not ordered by time. It
-- is empty, and costs next to nothing, where ids are made here.
create index runs_given_id_idx on pgflow.runs (started_at)
where get_byte(uuid_send(run_id), 6) >> 4 <> 7;

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

-- Serves: prune_data_older_than, to find keys that have expired.
create index run_keys_expiry_idx on pgflow.run_keys (expires_at) where expires_at < 'infinity';

comment on table pgflow.run_keys is 'One row an idempotency key that a run was started with.';
comment on column pgflow.run_keys.flow_slug is
'Name of the flow that was started, whatever its version.';
comment on column pgflow.run_keys.idempotency_key is 'The caller''s key, unique in the flow.';
comment on column pgflow.run_keys.run_id is 'The run that it stands for.';
comment on column pgflow.run_keys.expires_at is
'When the key may start another run; infinity is as long as the run is kept.';

create table pgflow.run_reopenings (
  run_id uuid not null,
  reopening int not null,
  step_slugs text [] not null,
  progress jsonb not null,
  reopened_at timestamptz not null default now(),
  primary key (run_id, reopening)
);

comment on table pgflow.run_reopenings is
'One row for each time that a run was retried or restarted: what the states of its steps told '
'until then, so that whoever watches the run later still gets to know it.';
comment on column pgflow.run_reopenings.run_id is 'The run.';
comment on column pgflow.run_reopenings.reopening is 'Which time it was, counted from 1.';
comment on column pgflow.run_reopenings.step_slugs is
'The steps that were put back to where they had not run.';
comment on column pgflow.run_reopenings.progress is
'What get_run_progress said right before.';
comment on column pgflow.run_reopenings.reopened_at is 'When.';

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
  primary key (run_id, step_slug)
) with (
  fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1,
  autovacuum_vacuum_threshold = 1000, autovacuum_analyze_threshold = 1000
);

comment on table pgflow.step_states is
'One row a step of a run: where it stands and what came out.';
comment on column pgflow.step_states.run_id is 'The run.';
comment on column pgflow.step_states.step_slug is 'The step.';
comment on column pgflow.step_states.flow_slug is 'The flow of the run.';
comment on column pgflow.step_states.status is
'created, started, then one of completed, failed, skipped, cancelled.';
comment on column pgflow.step_states.remaining_tasks is
'Number of tasks that are not completed; NULL until the step starts.';
comment on column pgflow.step_states.initial_tasks is
'Number of tasks of the step; NULL while a map waits for its array.';
comment on column pgflow.step_states.remaining_deps is
'Number of dependencies that are neither completed nor skipped.';
comment on column pgflow.step_states.output is
'Output of the step; of a map, the array of its tasks'' outputs in order.';
comment on column pgflow.step_states.error_message is
'Why the step failed or was skipped after a failure.';
comment on column pgflow.step_states.skip_reason is
'condition_unmet, handler_failed or dependency_skipped.';
comment on column pgflow.step_states.created_at is 'When the run was started.';
comment on column pgflow.step_states.started_at is 'When the step''s tasks came into being.';
comment on column pgflow.step_states.completed_at is 'When the last task completed.';
comment on column pgflow.step_states.failed_at is 'When the step failed.';
comment on column pgflow.step_states.skipped_at is 'When the step was skipped.';
comment on column pgflow.step_states.cancelled_at is
'When the step was cancelled, with its run or because its run failed.';

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
  claimed_apart boolean not null default false,
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
  primary key (run_id, step_slug, task_index)
) with (
  fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_threshold = 1000
);

-- Serves: claim_tasks, in the very order in which it claims. Delayed tasks are not in it.
create index step_tasks_claim_idx on pgflow.step_tasks (flow_slug, priority desc, order_at)
where status = 'queued' and order_at < 'infinity' and not claimed_apart;

-- Serves: claim_tasks, for steps that are claimed apart. Empty where no worker limits a step.
create index step_tasks_apart_idx
on pgflow.step_tasks (flow_slug, step_slug, priority desc, order_at)
where status = 'queued' and order_at < 'infinity' and claimed_apart;

-- Serves: claim_tasks, to find delayed tasks that have come due; wait_for_tasks, for the next one.
create index step_tasks_delayed_idx on pgflow.step_tasks (flow_slug, available_at)
where status = 'queued' and order_at = 'infinity';

-- Serves: requeue_stalled_tasks, to find what a lost worker held.
-- The worker is part of the predicate only so that no report, which asks for started tasks by
-- their key, can be planned as a scan of this index.
create index step_tasks_held_idx on pgflow.step_tasks (last_worker_id)
where status = 'started' and last_worker_id is not null;

comment on table pgflow.step_tasks is
'One row a task: the unit that workers claim. This table is the queue.';
comment on column pgflow.step_tasks.run_id is 'The run.';
comment on column pgflow.step_tasks.step_slug is 'The step.';
comment on column pgflow.step_tasks.task_index is
'0 for a single step; the element''s place in the array for a map.';
comment on column pgflow.step_tasks.flow_slug is 'The flow of the run.';
comment on column pgflow.step_tasks.status is
'queued, started, then one of completed, failed, skipped, cancelled; a retry goes back to '
'queued.';
comment on column pgflow.step_tasks.priority is 'The run''s priority.';
comment on column pgflow.step_tasks.attempts_count is
'Number of times the task was claimed. It never falls, so it also fences stale reports.';
comment on column pgflow.step_tasks.released_count is
'Number of claims that do not count against max_attempts: handed back, or made before the task '
'was given all its attempts again.';
comment on column pgflow.step_tasks.requeued_count is
'Number of times the task was taken from a lost worker.';
comment on column pgflow.step_tasks.claimed_apart is
'Whether it waits in a queue of its step''s own; see steps.claimed_apart.';
comment on column pgflow.step_tasks.input is
'A map''s element where no other row holds it; NULL otherwise.';
comment on column pgflow.step_tasks.output is 'What the handler returned.';
comment on column pgflow.step_tasks.error_message is 'Error of the latest failed attempt.';
comment on column pgflow.step_tasks.last_worker_id is 'The worker of the latest attempt.';
comment on column pgflow.step_tasks.order_at is
'Place in the queue; infinity while the task is delayed. A map''s elements are spread over time '
'so that other runs get their turn.';
comment on column pgflow.step_tasks.available_at is
'When the task may be claimed, at the earliest.';
comment on column pgflow.step_tasks.queued_at is 'When the task came into being.';
comment on column pgflow.step_tasks.started_at is 'When the latest attempt was claimed.';
comment on column pgflow.step_tasks.completed_at is 'When the task completed.';
comment on column pgflow.step_tasks.failed_at is 'When the task failed for good.';
comment on column pgflow.step_tasks.skipped_at is
'When the task ended because its step was skipped.';
comment on column pgflow.step_tasks.cancelled_at is 'When the task ended because its run did.';
comment on column pgflow.step_tasks.last_requeued_at is
'When the task was last taken from a lost worker.';

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
) with (autovacuum_vacuum_threshold = 1000, autovacuum_analyze_threshold = 1000);

comment on table pgflow.task_attempts is
'One row a failed attempt of a task. Attempts that succeed leave none.';
comment on column pgflow.task_attempts.run_id is 'The run.';
comment on column pgflow.task_attempts.step_slug is 'The step.';
comment on column pgflow.task_attempts.task_index is 'The task.';
comment on column pgflow.task_attempts.attempt is 'attempts_count of the attempt that failed.';
comment on column pgflow.task_attempts.worker_id is 'The worker that had claimed it.';
comment on column pgflow.task_attempts.started_at is 'When the attempt was claimed.';
comment on column pgflow.task_attempts.failed_at is 'When the failure was recorded.';
comment on column pgflow.task_attempts.retry_at is
'When the next attempt may start; NULL when there is none.';
comment on column pgflow.task_attempts.error_message is 'What went wrong.';
comment on column pgflow.task_attempts.error_type is
'Name of the exception''s class, where the worker gave it.';
comment on column pgflow.task_attempts.traceback is 'Traceback text, where the worker gave it.';
