-- Call the worker functions that have work and no worker, through the extension pg_net.
--
-- See configure_worker_functions for where they are called, and setup_ensure_workers_cron for
-- calling this again and again. The calls are made after the commit.
--
-- Returns: the functions that are called, with the id of the request.
-- Errors: PF014 pg_net is not there.
-- Locks: rows of worker_functions, skipping those that another session calls.
-- Writes: worker_functions; the queue of pg_net.
-- Idempotent: no; within its debounce, a function is called once.
create or replace function pgflow.ensure_workers()
returns table (function_name text, invoked boolean, request_id bigint)
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_url_base text := pgflow._invocation_setting('url_base');
  v_headers jsonb := jsonb_build_object(
    'content-type', 'application/json',
    'authorization', 'Bearer ' || pgflow._invocation_setting('auth_secret')
  );
  v_idle pgflow.worker_functions;
begin
  perform pgflow._require_extension('pg_net', 'net', 'http_post');
  if v_headers -> 'authorization' = 'null' then
    raise notice 'no worker function is called: see pgflow.configure_worker_functions';
    return;
  end if;
  for v_idle in select (pgflow._functions_to_invoke()).* loop
    continue when v_url_base is null and v_idle.url is null;
    -- By name at run time: most databases have no such function.
    execute format('select %I.%I(url => $1, headers => $2, body => $3)', 'net', 'http_post')
    into request_id
    using coalesce(v_idle.url, v_url_base || '/' || v_idle.function_name), v_headers,
      jsonb_build_object('function_name', v_idle.function_name);
    update pgflow.worker_functions as called
    set last_invoked_at = clock_timestamp()
    where called.function_name = v_idle.function_name;
    function_name := v_idle.function_name;
    invoked := true;
    return next;
  end loop;
end
$$;

comment on function pgflow.ensure_workers is
'Call the worker functions that have work and no worker, through the extension pg_net.';
