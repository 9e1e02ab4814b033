-- Define a flow, or give an existing one its options anew.
--
-- Parameters:
--   flow_slug: name of the flow; or a version that is there, such as name@2.
--   max_attempts: tries of a task, the first included; NULL is 3.
--   base_delay: seconds that retry delays start from; NULL is 5.
--   timeout: seconds that an attempt may take; NULL is 60.
--   max_delay: longest retry delay in seconds; NULL is 3600.
--   jitter: fraction of a retry delay drawn at random, 0 to 1; NULL is 0.
--   input_schema: JSON Schema of the flow input, or NULL.
--   backoff: 'exponential', so that retry delays double, or 'fixed'; NULL is exponential.
-- Returns: the row of the flow.
-- Errors: PF004 the slug is not valid. PF005 an option is out of range.
-- Locks: the row of the flow.
-- Writes: flows.
-- Idempotent: yes.
create or replace function pgflow.create_flow(
  flow_slug text,
  max_attempts int default null,
  base_delay int default null,
  timeout int default null,
  max_delay int default null,
  jitter double precision default null,
  input_schema jsonb default null,
  backoff text default null
)
returns pgflow.flows
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_flow pgflow.flows;
begin
  -- Versions have slugs that nobody can give, and options like all flows.
  if not exists (
    select from pgflow.flows as flow where flow.flow_slug = create_flow.flow_slug
  ) then
    perform pgflow._require_slug('flow', create_flow.flow_slug);
  end if;
  insert into pgflow.flows as flow (
    flow_slug, opt_max_attempts, opt_base_delay, opt_timeout, opt_max_delay, opt_jitter,
    opt_backoff, input_schema
  )
  values (
    create_flow.flow_slug,
    coalesce(create_flow.max_attempts, 3),
    coalesce(create_flow.base_delay, 5),
    coalesce(create_flow.timeout, 60),
    coalesce(create_flow.max_delay, 3600),
    coalesce(create_flow.jitter, 0),
    coalesce(create_flow.backoff, 'exponential'),
    create_flow.input_schema
  )
  on conflict on constraint flows_pkey do update
  set opt_max_attempts = excluded.opt_max_attempts,
    opt_base_delay = excluded.opt_base_delay,
    opt_timeout = excluded.opt_timeout,
    opt_max_delay = excluded.opt_max_delay,
    opt_jitter = excluded.opt_jitter,
    opt_backoff = excluded.opt_backoff,
    input_schema = excluded.input_schema
  returning flow.* into v_flow;
  return v_flow;
exception when check_violation then
  raise exception using
    errcode = 'PF005',
    message = format('an option of flow %s is out of range: %s', create_flow.flow_slug, sqlerrm),
    detail = format('flow_slug=%s', create_flow.flow_slug);
end
$$;

comment on function pgflow.create_flow is
'Define a flow, or give an existing one its options anew.';
