-- Make the smallest id of a run that is started in a month.
--
-- Parameters:
--   instant: an instant in that month of UTC, or in one before it.
--   months: how many months after that one.
-- Returns: the id.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._month_bound(instant timestamptz, months int)
returns uuid
language sql
immutable
begin atomic
  -- Without a zone: months are added as the session's zone has them otherwise.
  select pgflow.run_id_at((
    date_trunc('month', _month_bound.instant at time zone 'UTC')
      + make_interval(months => _month_bound.months)
  ) at time zone 'UTC');
end;

comment on function pgflow._month_bound is
'Make the smallest id of a run that is started in a month.';
