-- Every right in one place. Nothing is for public; the three group roles get what their work needs:
-- pgflow_client starts and watches runs, pgflow_worker claims and reports, pgflow_reader selects.
-- Tables are written by functions alone, which are security definer.

do $$
declare
  v_role text;
begin
  foreach v_role in array array['pgflow_client', 'pgflow_worker', 'pgflow_reader'] loop
    if not exists (select from pg_catalog.pg_roles as role where role.rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception
        when duplicate_object or unique_violation then null;
        when insufficient_privilege then
          raise notice 'role % was not created: this user may not create roles', v_role;
      end;
    end if;
  end loop;
end
$$;

revoke all on schema pgflow from public;
revoke all on all tables in schema pgflow from public;
revoke all on all functions in schema pgflow from public;

do $$
declare
  v_right record;
begin
  for v_right in
    select grants.role, grants.object
    from (
      values
      ('pgflow_client', 'usage on schema pgflow'),
      ('pgflow_worker', 'usage on schema pgflow'),
      ('pgflow_reader', 'usage on schema pgflow'),
      ('pgflow_reader', 'select on all tables in schema pgflow'),
      ('pgflow_client', 'select on pgflow.flows, pgflow.steps, pgflow.deps'),
      ('pgflow_worker', 'select on pgflow.flows, pgflow.steps, pgflow.deps'),
      ('pgflow_client', 'execute on function pgflow.schema_version'),
      ('pgflow_worker', 'execute on function pgflow.schema_version'),
      ('pgflow_reader', 'execute on function pgflow.schema_version'),
      ('pgflow_client', 'execute on function pgflow.start_flow'),
      ('pgflow_client', 'execute on function pgflow.start_flows'),
      ('pgflow_client', 'execute on function pgflow.send'),
      ('pgflow_client', 'execute on function pgflow.send_many'),
      ('pgflow_client', 'execute on function pgflow.send_rows'),
      ('pgflow_client', 'execute on function pgflow.start_flow_with_states'),
      ('pgflow_client', 'execute on function pgflow.cancel_run'),
      ('pgflow_client', 'execute on function pgflow.cancel_runs'),
      ('pgflow_client', 'execute on function pgflow.cancel_flow_runs'),
      ('pgflow_client', 'execute on function pgflow.retry_run'),
      ('pgflow_client', 'execute on function pgflow.restart_run'),
      ('pgflow_client', 'execute on function pgflow.skip_delays'),
      ('pgflow_client', 'execute on function pgflow.get_run_with_states'),
      ('pgflow_client', 'execute on function pgflow.get_run_progress'),
      ('pgflow_client', 'execute on function pgflow.list_runs'),
      ('pgflow_client', 'execute on function pgflow.list_flow_versions'),
      ('pgflow_client', 'execute on function pgflow.get_flow_shape'),
      ('pgflow_client', 'execute on function pgflow.get_run_failure'),
      ('pgflow_client', 'execute on function pgflow.get_run_reopenings'),
      ('pgflow_client', 'execute on function pgflow.get_run_versions'),
      ('pgflow_client', 'execute on function pgflow.watch_runs'),
      ('pgflow_client', 'execute on function pgflow.unwatch_runs'),
      ('pgflow_client', 'execute on function pgflow.read_stream'),
      ('pgflow_client', 'execute on function pgflow.get_stream_state'),
      ('pgflow_reader', 'execute on function pgflow.get_run_with_states'),
      ('pgflow_reader', 'execute on function pgflow.get_run_progress'),
      ('pgflow_reader', 'execute on function pgflow.list_runs'),
      ('pgflow_reader', 'execute on function pgflow.list_flow_versions'),
      ('pgflow_reader', 'execute on function pgflow.get_flow_shape'),
      ('pgflow_reader', 'execute on function pgflow.get_run_failure'),
      ('pgflow_reader', 'execute on function pgflow.get_run_reopenings'),
      ('pgflow_reader', 'execute on function pgflow.get_run_versions'),
      ('pgflow_reader', 'execute on function pgflow.run_id_at'),
      ('pgflow_reader', 'execute on function pgflow.read_stream'),
      ('pgflow_reader', 'execute on function pgflow.get_stream_state'),
      ('pgflow_reader', 'execute on function pgflow.get_backlog'),
      ('pgflow_reader', 'execute on function pgflow.get_alert_figures'),
      ('pgflow_worker', 'execute on function pgflow.ensure_flow_compiled'),
      ('pgflow_worker', 'execute on function pgflow.use_flow_shape'),
      ('pgflow_worker', 'execute on function pgflow.match_flow_versions'),
      ('pgflow_worker', 'execute on function pgflow.list_flow_versions'),
      ('pgflow_worker', 'execute on function pgflow.get_flow_shape'),
      ('pgflow_worker', 'execute on function pgflow.claim_apart'),
      ('pgflow_worker', 'execute on function pgflow.register_worker'),
      ('pgflow_worker', 'execute on function pgflow.heartbeat'),
      ('pgflow_worker', 'execute on function pgflow.mark_worker_stopped'),
      ('pgflow_worker', 'execute on function pgflow.track_worker_function'),
      ('pgflow_worker', 'execute on function pgflow.wait_for_tasks'),
      ('pgflow_worker', 'execute on function pgflow.claim_tasks'),
      ('pgflow_worker', 'execute on function pgflow.get_shared_input'),
      ('pgflow_worker', 'execute on function pgflow.get_flow_input'),
      ('pgflow_worker', 'execute on function pgflow.complete_task'),
      ('pgflow_worker', 'execute on function pgflow.complete_tasks'),
      ('pgflow_worker', 'execute on function pgflow.fail_task'),
      ('pgflow_worker', 'execute on function pgflow.fail_tasks'),
      ('pgflow_worker', 'execute on function pgflow.report_and_claim'),
      ('pgflow_worker', 'execute on function pgflow.enter_attempt'),
      ('pgflow_worker', 'execute on function pgflow.release_tasks'),
      ('pgflow_worker', 'execute on function pgflow.find_held_runs'),
      ('pgflow_worker', 'execute on function pgflow.find_lost_attempts'),
      ('pgflow_worker', 'execute on function pgflow.find_retries'),
      ('pgflow_worker', 'execute on function pgflow.get_trace_contexts'),
      ('pgflow_worker', 'execute on function pgflow.get_queue_depth'),
      ('pgflow_worker', 'execute on function pgflow.get_alert_figures'),
      ('pgflow_worker', 'execute on function pgflow.append_to_streams'),
      ('pgflow_worker', 'execute on function pgflow.release_unknown_tasks'),
      ('pgflow_worker', 'execute on function pgflow.requeue_stalled_tasks')
    ) as grants (role, object)
    join pg_catalog.pg_roles as role on role.rolname = grants.role
  loop
    execute format('grant %s to %I', v_right.object, v_right.role);
  end loop;
  -- It holds a secret, which is no reading matter.
  if exists (select from pg_catalog.pg_roles as role where role.rolname = 'pgflow_reader') then
    revoke all on pgflow.invocation_settings from pgflow_reader;
  end if;
end
$$;

select pgflow.setup_realtime();
