-- List the steps of a run that have started and not completed, whatever became of them.
--
-- Parameters:
--   run_id: the run, which the caller holds for update.
-- Returns: those that are started, failed or cancelled; never NULL.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._steps_under_way(run_id uuid)
returns text []
language plpgsql
stable
as $$
begin
  return array(
    select state.step_slug
    from pgflow.step_states as state
    where state.run_id = _steps_under_way.run_id
      and state.status in ('started', 'failed', 'cancelled')
  );
end
$$;

comment on function pgflow._steps_under_way is
'List the steps of a run that have started and not completed, whatever became of them.';
