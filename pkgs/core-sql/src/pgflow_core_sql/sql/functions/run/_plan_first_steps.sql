-- Say what the steps of a flow are in as a run of it starts.
--
-- A single SELECT in SQL, which the planner puts in the place of its call.
--
-- Parameters:
--   flow_slug: the flow.
--   input: the input of the run; an array where a step maps over it.
--   delayed_until: of the run; NULL is no delay.
-- Returns: one row a step: what becomes of its state, which has started where it waits for nothing,
--   has tasks and no condition; then whether and when its first task may be claimed, and where in
--   the queue it stands.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._plan_first_steps(
  flow_slug text, input jsonb, delayed_until timestamptz
)
returns table (
  step_slug text, is_map boolean, status text, deps_count int, initial_tasks int,
  remaining_tasks int, started_at timestamptz, claimed_apart boolean, order_at timestamptz,
  available_at timestamptz
)
language sql
stable
begin atomic
  with counted as (
    select
      step.*,
      case
        when step.step_type = 'single' then 1
        when step.map_over = 'run' then jsonb_array_length(_plan_first_steps.input)
      end as tasks,
      greatest(now(), _plan_first_steps.delayed_until)
        + make_interval(secs => coalesce(step.opt_start_delay, 0)) as due_at
    from pgflow.steps as step
    where step.flow_slug = _plan_first_steps.flow_slug
  ),

  judged as (
    select
      counted.*,
      counted.deps_count = 0 and counted.tasks > 0 and num_nonnulls(
        counted.required_input_pattern, counted.forbidden_input_pattern
      ) = 0 as starts
    from counted
  )

  select
    judged.step_slug,
    judged.step_type = 'map' as is_map,
    case when judged.starts then 'started' else 'created' end as status,
    judged.deps_count,
    judged.tasks as initial_tasks,
    case when judged.starts then judged.tasks end as remaining_tasks,
    case when judged.starts then now() end as started_at,
    judged.claimed_apart,
    case when judged.due_at > now() then 'infinity' else now() end as order_at,
    judged.due_at as available_at
  from judged;
end;

comment on function pgflow._plan_first_steps is
'Say what the steps of a flow are in as a run of it starts.';
