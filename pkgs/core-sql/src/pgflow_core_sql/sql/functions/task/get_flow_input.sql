-- Read what a run was started with, for handlers that ask for it.
--
-- Parameters:
--   run_id: the run.
-- Returns: the flow input.
-- Errors: PF002 no such run.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_flow_input(run_id uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  return (pgflow._require_run(get_flow_input.run_id)).input;
end
$$;

comment on function pgflow.get_flow_input is
'Read what a run was started with, for handlers that ask for it.';
