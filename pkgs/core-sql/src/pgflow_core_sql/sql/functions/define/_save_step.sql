-- Write a checked step and its edges, or its options where the step exists with the same structure.
--
-- Parameters:
--   step: the row as it should be; step_index and the flags of its place in the flow are found
--     here.
--   deps_slugs: dependencies whose outputs it receives.
--   after_slugs: dependencies that only order.
-- Returns: the row of the step.
-- Errors: PF005 the step exists with another structure.
-- Locks: none; the caller holds the row of the flow.
-- Writes: steps, deps.
-- Idempotent: yes.
create or replace function pgflow._save_step(
  step pgflow.steps, deps_slugs text [], after_slugs text []
)
returns pgflow.steps
language plpgsql
as $$
declare
  v_saved pgflow.steps;
begin
  select existing.* into v_saved
  from pgflow.steps as existing
  where existing.flow_slug = _save_step.step.flow_slug
    and existing.step_slug = _save_step.step.step_slug;
  if found then
    perform pgflow._require_same_structure(
      v_saved, _save_step.step, _save_step.deps_slugs, _save_step.after_slugs
    );
    return pgflow._update_step_options(_save_step.step);
  end if;
  select coalesce(max(other.step_index) + 1, 0) into _save_step.step.step_index
  from pgflow.steps as other
  where other.flow_slug = _save_step.step.flow_slug;
  _save_step.step.created_at := now();
  insert into pgflow.steps
  select (_save_step.step).*;
  insert into pgflow.deps (flow_slug, dep_slug, step_slug, orders_only)
  select _save_step.step.flow_slug, dep.slug, _save_step.step.step_slug, false
  from unnest(_save_step.deps_slugs) as dep (slug)
  union all
  select _save_step.step.flow_slug, dep.slug, _save_step.step.step_slug, true
  from unnest(_save_step.after_slugs) as dep (slug);
  perform pgflow._mark_ancestors(
    _save_step.step, _save_step.deps_slugs || _save_step.after_slugs
  );
  return _save_step.step;
end
$$;

comment on function pgflow._save_step is
'Write a checked step and its edges, or its options where the step exists with the same structure.';
