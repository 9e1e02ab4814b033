-- List runs, the newest first, a page at a time.
--
-- A call looks at no more than 10,000 runs, however many there are. Runs go by their ids, which
-- tell the time of their start unless the starter gave others.
--
-- Parameters:
--   flow_slug: only runs of this flow, in all its versions; or of one, such as name@2. NULL is all.
--   status: only runs of this status; NULL is all.
--   tags: only runs that have all of these tags; NULL is all.
--   since, until: only runs started then or later, and before; NULL is no bound.
--   before: only runs with a smaller id: what another call returned as next.
--   quantity: how many at most.
-- Returns: {"runs": [{"run_id", "flow_slug", "status", "priority", "tags", "started_at",
--   "ended_at", "delayed_until", "failed_step_slug", "error_message"}], "next"}; next is NULL where
--   nothing follows. A page with a next may hold fewer runs than asked for, or none.
-- Errors: PF015 the quantity is negative.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.list_runs(
  flow_slug text default null, status text default null, tags jsonb default null,
  since timestamptz default null, until timestamptz default null, before uuid default null,
  quantity int default 50
)
returns jsonb
language plpgsql
stable
security definer
set search_path to pg_catalog, pg_temp
set enable_seqscan to off
set random_page_cost to 1.1
set jit to off
as $$
declare
  v_slugs text[] := case
    when list_runs.flow_slug is not null
      then coalesce(pgflow._versions_of(list_runs.flow_slug), array[list_runs.flow_slug])
  end;
  v_first uuid := coalesce(
    pgflow.run_id_at(list_runs.since), '00000000-0000-0000-0000-000000000000'
  );
  v_before uuid := least(list_runs.before, pgflow.run_id_at(list_runs.until));
  v_range text := pgflow._runs_in_range(
    v_slugs, list_runs.status, list_runs.tags, v_before is not null
  );
  v_page jsonb;
  v_next uuid;
begin
  perform pgflow._require_quantity(list_runs.quantity);
  execute format(
    $query$
      select jsonb_agg(to_jsonb(page) order by page.run_id desc)
      from (
        select looked.*
        from (%s order by run.run_id desc limit 10000) as looked
        where ($1 is null or looked.flow_slug = any ($1))
          and looked.status = coalesce($2, looked.status)
          and looked.tags @> coalesce($3, '{}')
        limit $4
      ) as page
    $query$,
    v_range
  )
  into v_page
  using v_slugs, list_runs.status, list_runs.tags, list_runs.quantity, v_first, v_before;
  if jsonb_array_length(v_page) = list_runs.quantity then
    v_next := (v_page -> -1 ->> 'run_id')::uuid;
  else
    execute format(
      'select looked.run_id from (%s order by run.run_id desc offset 9999 limit 1) as looked',
      v_range
    )
    into v_next
    using v_slugs, list_runs.status, list_runs.tags, list_runs.quantity, v_first, v_before;
  end if;
  return jsonb_build_object('runs', coalesce(v_page, '[]'), 'next', v_next);
end
$$;

comment on function pgflow.list_runs is 'List runs, the newest first, a page at a time.';
