-- Raise unless a run's flow has a step.
--
-- Parameters:
--   run: the run.
--   step_slug: the step.
-- Returns: nothing.
-- Errors: PF003 no such step.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_step(run pgflow.runs, step_slug text)
returns void
language plpgsql
stable
as $$
declare
  v_slug text := _require_step.run.flow_slug;
  v_name text := split_part(v_slug, '@', 1);
begin
  if not exists (
    select from pgflow.steps as step
    where step.flow_slug = _require_step.run.flow_slug
      and step.step_slug = _require_step.step_slug
  ) then
    raise exception using
      errcode = 'PF003',
      message = format('%s has no step %s', case
        when cardinality(pgflow._versions_of(v_name)) > 1 then format('version %s of flow %s',
          coalesce(nullif(split_part(v_slug, '@', 2), ''), '1'), v_name)
        else 'flow ' || v_name
      end, pgflow._told(_require_step.step_slug)),
      detail = format('run_id=%s flow_slug=%s step_slug=%s', _require_step.run.run_id,
        _require_step.run.flow_slug, left(_require_step.step_slug, 200));
  end if;
end
$$;

comment on function pgflow._require_step is 'Raise unless a run''s flow has a step.';
