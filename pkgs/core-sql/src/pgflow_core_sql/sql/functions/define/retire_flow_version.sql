-- Take a version of a flow out of use: no run of it starts, and none that has ended goes on.
--
-- Of a flow with several versions the current one cannot be retired, unless all others are; a flow
-- whose last version is retired cannot be started at all. Definition and history stay.
--
-- Parameters:
--   flow_slug: the name of the flow.
--   version: the number of the version.
--   cancel: whether its runs that have not ended are cancelled.
-- Returns: how many runs were cancelled.
-- Errors: PF001 no such flow, or no such version of it. PF015 the transaction is REPEATABLE READ or
--   SERIALIZABLE, which may not see the runs of others. PF017 it has runs that have not ended, or
--   new runs take it and could take another.
-- Locks: the rows of the flow's versions (for update), which waits for starts that are under way;
--   then, where it cancels, as cancel_runs.
-- Writes: flows; runs, step_states and step_tasks where it cancels.
-- Idempotent: yes.
create or replace function pgflow.retire_flow_version(
  flow_slug text, version int, cancel boolean default false
)
returns int
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_name text := retire_flow_version.flow_slug;
  v_slug text;
  v_open bigint;
  v_cancelled int := 0;
begin
  perform pgflow._require_read_committed('retiring a version', v_name);
  perform pgflow._lock_versions(v_name);
  -- Locked before it is looked up: it may be deleted, or made anew with fewer versions, meanwhile.
  v_slug := pgflow._require_version(v_name, retire_flow_version.version);
  perform pgflow._require_replaced(v_name, v_slug);
  if retire_flow_version.cancel then
    select count(*) into v_cancelled
    from pgflow.cancel_runs(array(
      select run.run_id
      from pgflow.runs as run
      where run.flow_slug = v_slug and run.status = 'started'
    ), format('version %s of flow %s was retired', retire_flow_version.version, v_name));
  end if;
  v_open := pgflow._count_open_runs(v_slug);
  if v_open > 0 then
    raise exception using
      errcode = 'PF017',
      message = format('version %s of flow %s has %s that ha%s not ended',
        retire_flow_version.version, v_name, case v_open when 1 then '1 run'
        else v_open || ' runs' end, case v_open when 1 then 's' else 've' end),
      detail = format('flow_slug=%s version=%s', v_name, retire_flow_version.version),
      hint = 'let a worker that serves it finish them, or cancel them with it (`--cancel`)';
  end if;
  update pgflow.flows as flow
  set retired_at = now(), superseded_at = coalesce(flow.superseded_at, now())
  where flow.flow_slug = v_slug and flow.retired_at is null;
  -- Where it was the last one, new runs take none.
  update pgflow.flows as flow
  set current_slug = null
  where flow.flow_slug = v_name and flow.current_slug = v_slug;
  return v_cancelled;
end
$$;

comment on function pgflow.retire_flow_version is
'Take a version of a flow out of use: no run of it starts, and none that has ended goes on.';
