-- What handlers emit while they run: items that clients read live and afterwards.

create table pgflow.streams (
  run_id uuid not null,
  step_slug text collate "C" not null,
  last_position bigint not null,
  primary key (run_id, step_slug)
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_threshold = 1000
);

comment on table pgflow.streams is
'One row a step of a run that has emitted items: how many places its stream has.';
comment on column pgflow.streams.run_id is 'The run.';
comment on column pgflow.streams.step_slug is 'The step.';
comment on column pgflow.streams.last_position is
'The last place that was given to an item. Whoever appends holds this row until the commit, so '
'that places become visible in their order.';

create table pgflow.stream_items (
  run_id uuid not null,
  step_slug text collate "C" not null,
  task_index int not null,
  attempt int not null,
  number int not null,
  position bigint not null,
  value jsonb not null,
  emitted_at timestamptz not null default clock_timestamp(),
  primary key (run_id, step_slug, task_index, attempt, number),
  constraint number_counts_from_one check (number > 0)
) with (autovacuum_vacuum_threshold = 1000, autovacuum_analyze_threshold = 1000);

-- Serves: read_stream. The task is part of the key so that items of other tasks are passed over
-- without a look at the table.
create unique index stream_items_position_idx
on pgflow.stream_items (run_id, step_slug, position, task_index);

comment on table pgflow.stream_items is 'One row a value that a handler emitted.';
comment on column pgflow.stream_items.run_id is 'The run.';
comment on column pgflow.stream_items.step_slug is 'The step.';
comment on column pgflow.stream_items.task_index is 'The task.';
comment on column pgflow.stream_items.attempt is 'attempts_count of the attempt that emitted it.';
comment on column pgflow.stream_items.number is
'Its place among the items of its attempt, from 1: what is sent twice is stored once.';
comment on column pgflow.stream_items.position is
'Its place among the items of its step, from 1 and growing, with gaps: the cursor of readers.';
comment on column pgflow.stream_items.value is 'What was emitted.';
comment on column pgflow.stream_items.emitted_at is 'When it was stored.';

create type pgflow.stream_state as (
  is_ended boolean,
  last_position bigint
);

comment on type pgflow.stream_state is
'Whether a stream can get no more items, and the place of its last one.';
