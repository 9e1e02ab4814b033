-- Raise where partitions cannot be made for a span from now.
--
-- Parameters:
--   ahead: the span.
-- Returns: nothing.
-- Errors: PF015 it is NULL, negative, or longer than 10 years.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_ahead(ahead interval)
returns void
language plpgsql
as $$
begin
  if (_require_ahead.ahead between '0' and '10 years') is not true then
    perform pgflow._refuse_argument(
      'partitions are made for a span from now of 0 to 10 years', format('ahead=%s', ahead)
    );
  end if;
end
$$;

comment on function pgflow._require_ahead is
'Raise where partitions cannot be made for a span from now.';
