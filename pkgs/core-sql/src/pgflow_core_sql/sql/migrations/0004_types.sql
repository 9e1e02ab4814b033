-- Rows that functions take and return.

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
'A claimed task as a worker receives it, or, where refused is not NULL, a report that changed '
'nothing and why.';

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
