-- Tell whether the condition of a step holds.
--
-- Parameters:
--   step: the step.
--   asked: the flow input for a root step; for others as in _matches.
-- Returns: true or false; true without a condition.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._is_met(step pgflow.steps, asked jsonb)
returns boolean
language plpgsql
immutable
as $$
begin
  if _is_met.step.deps_count = 0 then
    return coalesce(_is_met.asked @> _is_met.step.required_input_pattern, true)
      and not coalesce(_is_met.asked @> _is_met.step.forbidden_input_pattern, false);
  end if;
  return (
    _is_met.step.required_input_pattern is null
    or pgflow._matches(_is_met.asked, _is_met.step.required_input_pattern)
  ) and (
    _is_met.step.forbidden_input_pattern is null
    or not pgflow._matches(_is_met.asked, _is_met.step.forbidden_input_pattern)
  );
end
$$;

comment on function pgflow._is_met is 'Tell whether the condition of a step holds.';
