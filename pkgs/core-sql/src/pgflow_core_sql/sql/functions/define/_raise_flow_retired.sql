-- Raise the error that a version of a flow is retired.
--
-- Parameters:
--   flow_slug: the version.
-- Returns: never.
-- Errors: PF016 always.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._raise_flow_retired(flow_slug text)
returns void
language plpgsql
as $$
declare
  v_name text := split_part(_raise_flow_retired.flow_slug, '@', 1);
  v_version text := coalesce(nullif(split_part(_raise_flow_retired.flow_slug, '@', 2), ''), '1');
  v_others boolean := pgflow._current_version(v_name) is not null;
begin
  raise exception using
    errcode = 'PF016',
    message = format('%s is retired: no run of it starts or goes on', case when v_others
      then format('version %s of flow %s', v_version, v_name) else 'flow ' || v_name end),
    detail = format('flow_slug=%s', _raise_flow_retired.flow_slug),
    hint = case when v_others
      then 'start the flow by its name alone, or bring the version back with `pgflow flows use`'
      else 'have new runs take one of its versions with `pgflow flows use`' end;
end
$$;

comment on function pgflow._raise_flow_retired is
'Raise the error that a version of a flow is retired.';
