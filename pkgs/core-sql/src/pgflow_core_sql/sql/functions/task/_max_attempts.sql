-- Read how often tasks of a step are tried.
--
-- Parameters:
--   flow_slug, step_slug: the step.
-- Returns: the step's option, or else the flow's.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._max_attempts(flow_slug text, step_slug text)
returns int
language plpgsql
stable
as $$
begin
  -- PL/pgSQL keeps the plan; a body in SQL would be planned at each call.
  return (
    select coalesce(step.opt_max_attempts, flow.opt_max_attempts)
    from pgflow.steps as step
    join pgflow.flows as flow on flow.flow_slug = step.flow_slug
    where step.flow_slug = _max_attempts.flow_slug and step.step_slug = _max_attempts.step_slug
  );
end
$$;

comment on function pgflow._max_attempts is 'Read how often tasks of a step are tried.';
