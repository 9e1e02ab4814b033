-- List the months that there are to be partitions for: this one, those to come, and those missed.
--
-- A month is missed when nobody made its partition while it was to come, and runs were started in
-- it. Earlier ones than the last that was made are not looked at: those were dropped.
--
-- Parameters:
--   ahead: for how long from now.
-- Returns: the first instant of each month, in UTC, and whether it is over.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._months_to_partition(
  ahead interval, out starts timestamp, out is_over boolean
)
returns setof record
language plpgsql
set enable_seqscan to off
as $$
begin
  return query
  select month.starts, month.starts < this_month.starts
  from (select date_trunc('month', now() at time zone 'UTC') as starts) as this_month
  cross join (
    select max(made.ends_at) as ends_at
    from pgflow.partitions as made
    where made.table_name = 'runs' and made.ends_at <= now()
  ) as last_made
  cross join lateral generate_series(
    coalesce(last_made.ends_at at time zone 'UTC', this_month.starts),
    -- Without a zone, as _month_bound.
    now() at time zone 'UTC' + _months_to_partition.ahead,
    '1 month'
  ) as month (starts)
  where month.starts >= this_month.starts or exists (
    select from pgflow.runs as run
    where run.run_id >= pgflow._month_bound(month.starts at time zone 'UTC', 0)
      and run.run_id < pgflow._month_bound(month.starts at time zone 'UTC', 1)
  );
end
$$;

comment on function pgflow._months_to_partition is
'List the months that there are to be partitions for: this one, those to come, and those missed.';
