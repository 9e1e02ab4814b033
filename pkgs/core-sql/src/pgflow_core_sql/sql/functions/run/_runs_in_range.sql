-- Write the query that list_runs looks through, so that it goes along the index that fits.
--
-- Parameters:
--   flow_slugs: the versions of the flow whose runs are wanted; NULL is runs of all flows.
--   status, tags: as in list_runs.
--   is_bounded: whether only runs before an id are wanted.
-- Returns: the text of the query, without an order. In it, $1 are the versions, $3 the tags, $5 the
--   first id, and $6 the id before which runs are.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._runs_in_range(
  flow_slugs text [], status text, tags jsonb, is_bounded boolean
)
returns text
language plpgsql
stable
as $$
declare
  v_are_few boolean := _runs_in_range.tags <> '{}' and (
    -- How many have the tags is counted as far as reading all of them is no burden.
    select count(*) < 5000
    from (
      select from pgflow.runs as run
      where run.tags @> _runs_in_range.tags and run.tags <> '{}'
      limit 5000
    ) as tagged
  );
  v_columns text := $query$
    select run.run_id, run.flow_slug, run.status, run.priority, run.tags, run.started_at,
      coalesce(run.completed_at, run.failed_at, run.cancelled_at) as ended_at,
      run.delayed_until, run.failed_step_slug, left(run.error_message, 500) as error_message
  $query$;
  v_range text := 'from pgflow.runs as run where run.run_id >= $5'
    || case when _runs_in_range.is_bounded then ' and run.run_id < $6' else '' end;
begin
  return v_columns || case
    when v_are_few then v_range || $query$ and run.tags @> $3 and run.tags <> '{}'$query$
    when _runs_in_range.status in ('failed', 'cancelled')
      then v_range || ' and (run.failed_at is not null or run.cancelled_at is not null)'
    when _runs_in_range.flow_slugs is null then v_range
    when cardinality(_runs_in_range.flow_slugs) < 2 then v_range || ' and run.flow_slug = $1[1]'
    -- As many of each version as of all together: an index has those of one in order.
    else format($query$
      from unnest($1) as version (slug)
      cross join lateral (
        select run.* %s and run.flow_slug = version.slug order by run.run_id desc limit 10000
      ) as run
      where true
    $query$, v_range)
  end;
end
$$;

comment on function pgflow._runs_in_range is
'Write the query that list_runs looks through, so that it goes along the index that fits.';
