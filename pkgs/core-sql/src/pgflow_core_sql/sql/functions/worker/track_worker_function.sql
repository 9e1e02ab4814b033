-- Have a worker behind a URL called when it is needed; its workers say this when they start.
--
-- Parameters:
--   function_name: its name, which its workers register with: letters, digits, and _ - . / in it.
--   flow_slugs: the flows it serves; NULL leaves what is known. It is called only when one of them
--     has work.
-- Returns: nothing.
-- Errors: PF005 not a name.
-- Locks: the row of the function.
-- Writes: worker_functions.
-- Idempotent: yes.
create or replace function pgflow.track_worker_function(
  function_name text, flow_slugs text [] default null
)
returns void
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  insert into pgflow.worker_functions as tracked (function_name, flow_slugs)
  values (
    track_worker_function.function_name, coalesce(track_worker_function.flow_slugs, '{}')
  )
  on conflict on constraint worker_functions_pkey do update
  set updated_at = now(),
    flow_slugs = coalesce(track_worker_function.flow_slugs, tracked.flow_slugs);
exception
  when check_violation or not_null_violation then
    raise exception using
      errcode = 'PF005',
      message = 'the name of a worker function has letters, digits, and _ - . / in it',
      detail = format('function_name=%s', track_worker_function.function_name);
end
$$;

comment on function pgflow.track_worker_function is
'Have a worker behind a URL called when it is needed; its workers say this when they start.';
