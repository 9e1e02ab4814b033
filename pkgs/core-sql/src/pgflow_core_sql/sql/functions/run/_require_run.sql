-- Read a run, or raise where there is none.
--
-- Parameters:
--   run_id: the run.
-- Returns: its row.
-- Errors: PF002 no such run.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_run(run_id uuid)
returns pgflow.runs
language plpgsql
stable
as $$
declare
  v_run pgflow.runs;
begin
  select run.* into v_run
  from pgflow.runs as run
  where run.run_id = _require_run.run_id;
  if not found then
    raise exception using
      errcode = 'PF002',
      message = format('run %s does not exist', pgflow._told(_require_run.run_id::text)),
      detail = format('run_id=%s', _require_run.run_id);
  end if;
  return v_run;
end
$$;

comment on function pgflow._require_run is 'Read a run, or raise where there is none.';
