-- What a flow is: flows, steps, and the edges between them.
--
-- Slugs compare bytewise (collate "C"), which is what slugs need and several times faster in an
-- index than a language's order.
--
-- Of the indexes of a table only one begins with the flow. With two, a plan that was made before
-- there were statistics would take either for a search by flow and step, and read the whole flow
-- for each step.

create table pgflow.flows (
  flow_slug text collate "C" primary key,
  flow_name text collate "C" not null generated always as (split_part(flow_slug, '@', 1)) stored,
  version int not null generated always as (
    coalesce(nullif(split_part(flow_slug, '@', 2), ''), '1')::int
  ) stored,
  current_slug text collate "C",
  opt_max_attempts int not null default 3,
  opt_base_delay int not null default 5,
  opt_timeout int not null default 60,
  opt_max_delay int not null default 3600,
  opt_jitter double precision not null default 0,
  opt_backoff text not null default 'exponential',
  input_schema jsonb,
  created_at timestamptz not null default now(),
  superseded_at timestamptz,
  retired_at timestamptz,
  -- Nobody can give a flow such a name as later versions have.
  constraint slug_is_valid check (
    flow_slug ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}(@([2-9]|[1-9][0-9]{1,7}))?$'
    and split_part(flow_slug, '@', 1) <> 'run'
  ),
  constraint only_a_name_points_elsewhere check (current_slug is null or version = 1),
  constraint max_attempts_is_not_negative check (opt_max_attempts >= 0),
  constraint base_delay_is_not_negative check (opt_base_delay >= 0),
  constraint timeout_is_positive check (opt_timeout > 0),
  constraint max_delay_is_not_negative check (opt_max_delay >= 0),
  constraint jitter_is_a_fraction check (opt_jitter between 0 and 1),
  constraint backoff_is_known check (opt_backoff in ('exponential', 'fixed'))
);

-- Serves: finding the versions of a flow.
create index flows_versions_idx on pgflow.flows (flow_name, version);

comment on table pgflow.flows is
'One row a version of a flow: its slug and the options its steps inherit. A flow whose structure '
'never changed has one.';
comment on column pgflow.flows.flow_slug is
'Slug of the version, unique in the database: of the first the name of the flow, of others such as '
'name@2.';
comment on column pgflow.flows.flow_name is 'Name of the flow, which its versions share.';
comment on column pgflow.flows.version is 'Number of the version, counted from 1.';
comment on column pgflow.flows.current_slug is
'On the first version: the version that new runs of the flow take, where it is another one. On '
'others NULL.';
comment on column pgflow.flows.opt_max_attempts is
'How often a task is tried, the first time included; 0 and 1 both mean once.';
comment on column pgflow.flows.opt_base_delay is
'Seconds that a retry delay starts from: base_delay * 2^attempts_count, or base_delay itself where '
'the backoff is fixed.';
comment on column pgflow.flows.opt_timeout is 'Seconds that one attempt of a task may take.';
comment on column pgflow.flows.opt_max_delay is 'Longest retry delay in seconds.';
comment on column pgflow.flows.opt_jitter is
'Fraction of a retry delay that is drawn at random, 0 to 1.';
comment on column pgflow.flows.opt_backoff is
'Whether retry delays grow (''exponential'') or stay the same (''fixed'').';
comment on column pgflow.flows.input_schema is
'JSON Schema of the flow input, for people and tools.';
comment on column pgflow.flows.created_at is 'When the version was first compiled.';
comment on column pgflow.flows.superseded_at is
'When new runs began to take another version; NULL for the one that they take.';
comment on column pgflow.flows.retired_at is
'When the version was retired: no run of it can be started, and none goes on.';

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
  opt_backoff text,
  required_input_pattern jsonb,
  forbidden_input_pattern jsonb,
  when_unmet text not null default 'skip',
  when_exhausted text not null default 'fail',
  map_over text collate "C",
  takes_flow_input boolean not null default false,
  is_leaf boolean not null default true,
  feeds_map boolean not null default false,
  may_fail_run boolean not null default false,
  claimed_apart boolean not null default false,
  output_schema jsonb,
  created_at timestamptz not null default now(),
  primary key (flow_slug, step_slug),
  constraint index_is_unique_in_flow unique (step_index, flow_slug),
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
  constraint backoff_is_known check (opt_backoff in ('exponential', 'fixed')),
  constraint required_pattern_is_an_object check (jsonb_typeof(required_input_pattern) = 'object'),
  constraint forbidden_pattern_is_an_object check (
    jsonb_typeof(forbidden_input_pattern) = 'object'
  ),
  constraint when_unmet_is_known check (when_unmet in ('fail', 'skip', 'skip-cascade')),
  constraint when_exhausted_is_known check (when_exhausted in ('fail', 'skip', 'skip-cascade')),
  constraint only_maps_map_over_something check ((step_type = 'map') = (map_over is not null)),
  -- Patterns are objects, which no array contains.
  constraint map_over_the_input_alone_has_no_condition check (
    step_type = 'single' or deps_count > 0
    or num_nonnulls(required_input_pattern, forbidden_input_pattern) = 0
  )
);

-- Serves: claim_tasks, to see whether a flow has steps that are claimed apart. Mostly empty.
create index steps_apart_idx on pgflow.steps (flow_slug) where claimed_apart;

comment on table pgflow.steps is 'One row a step of a flow, in topological order of step_index.';
comment on column pgflow.steps.flow_slug is 'The flow that the step belongs to.';
comment on column pgflow.steps.step_slug is 'Name of the step, unique in its flow.';
comment on column pgflow.steps.step_type is
'''single'': one task; ''map'': one task for each element of an array.';
comment on column pgflow.steps.step_index is 'Place of the step in its flow, counted from 0.';
comment on column pgflow.steps.deps_count is 'Number of rows in deps for the step.';
comment on column pgflow.steps.opt_max_attempts is
'Overrides the flow''s option; NULL inherits it.';
comment on column pgflow.steps.opt_base_delay is
'Overrides the flow''s option, in seconds; NULL inherits it.';
comment on column pgflow.steps.opt_timeout is
'Overrides the flow''s option, in seconds; NULL inherits it.';
comment on column pgflow.steps.opt_start_delay is
'Seconds between the start of the step and its tasks being claimable; NULL is none.';
comment on column pgflow.steps.opt_max_delay is
'Overrides the flow''s option, in seconds; NULL inherits it.';
comment on column pgflow.steps.opt_jitter is 'Overrides the flow''s option; NULL inherits it.';
comment on column pgflow.steps.opt_backoff is 'Overrides the flow''s option; NULL inherits it.';
comment on column pgflow.steps.required_input_pattern is
'JSON object that the step''s input has to contain for the step to run; {} as the value of a '
'dependency asks only whether it completed.';
comment on column pgflow.steps.forbidden_input_pattern is
'JSON object that the step''s input may not contain for the step to run; {} as the value of a '
'dependency asks only whether it completed.';
comment on column pgflow.steps.when_unmet is
'What an unmet condition does: fail the run, skip the step, or skip it and all that depends on '
'it.';
comment on column pgflow.steps.when_exhausted is
'What a task without attempts left does: fail the run, skip the step, or skip it and all that '
'depends on it.';
comment on column pgflow.steps.map_over is
'For a map: the dependency whose array it maps over, or ''run'' for the flow input.';
comment on column pgflow.steps.takes_flow_input is
'Whether tasks receive the flow input beside their dependencies.';
comment on column pgflow.steps.is_leaf is
'Whether no step depends on it, so that its output is part of the run''s.';
comment on column pgflow.steps.feeds_map is
'Whether it is a single step that a map maps over, so that its output has to be an array.';
comment on column pgflow.steps.may_fail_run is
'Whether its completion can fail the run: a later step has a condition that fails when unmet.';
comment on column pgflow.steps.claimed_apart is
'Whether its tasks are claimed apart from the rest of the flow, because a worker runs only so many '
'of them at once; see claim_apart.';
comment on column pgflow.steps.output_schema is
'JSON Schema of the output of one task, for people and tools.';
comment on column pgflow.steps.created_at is 'When the step was first compiled.';

create table pgflow.deps (
  flow_slug text collate "C" not null,
  dep_slug text collate "C" not null,
  step_slug text collate "C" not null,
  orders_only boolean not null default false,
  created_at timestamptz not null default now(),
  primary key (dep_slug, flow_slug, step_slug),
  constraint step_exists foreign key (flow_slug, step_slug)
  references pgflow.steps (flow_slug, step_slug),
  constraint dep_exists foreign key (flow_slug, dep_slug)
  references pgflow.steps (flow_slug, step_slug),
  constraint step_does_not_depend_on_itself check (dep_slug <> step_slug)
);

-- Serves: assembling a step's input from its dependencies, and the foreign key to the step.
create index deps_of_step_idx on pgflow.deps (step_slug, flow_slug);

comment on table pgflow.deps is 'One row an edge of a flow: step_slug waits for dep_slug.';
comment on column pgflow.deps.flow_slug is 'The flow of both steps.';
comment on column pgflow.deps.dep_slug is 'The step that is waited for.';
comment on column pgflow.deps.step_slug is 'The step that waits.';
comment on column pgflow.deps.orders_only is
'Whether the edge only orders: the output of dep_slug is not part of the input.';
comment on column pgflow.deps.created_at is 'When the edge was first compiled.';
