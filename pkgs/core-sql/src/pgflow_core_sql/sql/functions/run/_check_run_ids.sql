-- Raise unless these can be the ids of new runs.
--
-- Parameters:
--   flow_slug: the flow, for the message.
--   run_count: how many runs are to be started.
--   run_ids: their ids.
-- Returns: nothing.
-- Errors: PF008 there are more or fewer of them, or they are no plain list. PF013 an id is NULL.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._check_run_ids(flow_slug text, run_count int, run_ids uuid [])
returns void
language plpgsql
as $$
begin
  if cardinality(_check_run_ids.run_ids) is distinct from _check_run_ids.run_count
    or array_ndims(_check_run_ids.run_ids) > 1 then
    raise exception using
      errcode = 'PF008',
      message = format('flow %s: %s inputs but %s run ids', _check_run_ids.flow_slug,
        coalesce(_check_run_ids.run_count, 0), cardinality(_check_run_ids.run_ids))
        || case when array_ndims(_check_run_ids.run_ids) > 1 then ' in lists of lists' else '' end,
      detail = format('flow_slug=%s', _check_run_ids.flow_slug);
  end if;
  if array_position(_check_run_ids.run_ids, null) is not null then
    raise exception using
      errcode = 'PF013',
      message = format('flow %s: a run id is NULL', _check_run_ids.flow_slug),
      detail = format('flow_slug=%s', _check_run_ids.flow_slug),
      hint = 'give NULL in place of all ids, and new ones are made';
  end if;
end
$$;

comment on function pgflow._check_run_ids is 'Raise unless these can be the ids of new runs.';
