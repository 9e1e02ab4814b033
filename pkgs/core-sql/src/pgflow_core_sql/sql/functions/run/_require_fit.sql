-- Raise unless what a run has done fits another version of its flow.
--
-- Parameters:
--   run: the run, which the caller holds for update.
--   flow_slug: the other version.
--   repeated: the steps that are to be repeated.
-- Returns: nothing.
-- Errors: PF018 a step that has ended and is not repeated is missing there, or has another type,
--   array to map over, or dependencies; or what a step there maps over is there, and no array.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_fit(
  run pgflow.runs, flow_slug text, repeated text []
)
returns void
language plpgsql
stable
as $$
declare
  v_misfits text;
  v_lacks boolean;
begin
  with ended as (
    select step.step_index as place, step.step_slug, state.status, state.output,
      pgflow._structure_of(step.flow_slug, step.step_slug) as saved,
      pgflow._structure_of(_require_fit.flow_slug, step.step_slug) as wanted
    from pgflow.step_states as state
    join pgflow.steps as step
      on step.flow_slug = state.flow_slug and step.step_slug = state.step_slug
    where state.run_id = _require_fit.run.run_id and state.status in ('completed', 'skipped')
      and state.step_slug <> all (_require_fit.repeated)
  ),
  misfit as (
    select ended.place, format('it has no step %s', ended.step_slug) as sentence, true as lacks
    from ended
    where ended.wanted is null
    union all
    select ended.place, format('%s of step %s was %s and is %s', field.key, ended.step_slug,
      field.value, ended.wanted -> field.key), false
    from ended
    cross join lateral jsonb_each(ended.saved) as field
    where field.value <> ended.wanted -> field.key
    union all
    select step.step_index, format('its step %s maps over the %s, which is no array',
      step.step_slug, case step.map_over when 'run' then 'flow input'
      else 'output of ' || step.map_over end), false
    from pgflow.steps as step
    left join ended on ended.step_slug = step.map_over
    where step.flow_slug = _require_fit.flow_slug and 'array' <> case
      when step.map_over = 'run' then jsonb_typeof(_require_fit.run.input)
      when ended.status = 'completed' then coalesce(jsonb_typeof(ended.output), 'null')
    end
  )
  select string_agg(misfit.sentence, '; ' order by misfit.place), bool_or(misfit.lacks)
  into v_misfits, v_lacks
  from misfit;
  if v_misfits is not null then
    raise exception using
      errcode = 'PF018',
      message = format('run %s of flow %s cannot go on as %s: %s', _require_fit.run.run_id,
        _require_fit.run.flow_slug, _require_fit.flow_slug, v_misfits),
      detail = format('run_id=%s flow_slug=%s version_slug=%s', _require_fit.run.run_id,
        _require_fit.run.flow_slug, _require_fit.flow_slug),
      hint = case when v_lacks
        then 'restart it from a step of both versions that comes before those; where none does, '
          'let it end on its own version, with a worker that serves that, or start another run'
        else 'restart it from an earlier step, so that those are repeated, or start another run'
      end;
  end if;
end
$$;

comment on function pgflow._require_fit is
'Raise unless what a run has done fits another version of its flow.';
