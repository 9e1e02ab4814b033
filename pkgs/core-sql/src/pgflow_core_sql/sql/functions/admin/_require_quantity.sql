-- Raise where a quantity is negative.
--
-- Parameters:
--   quantity: the quantity; NULL is no bound.
-- Returns: nothing.
-- Errors: PF015 it is negative.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_quantity(quantity int)
returns void
language plpgsql
as $$
begin
  if _require_quantity.quantity < 0 then
    perform pgflow._refuse_argument(
      'a quantity is not negative', format('quantity=%s', _require_quantity.quantity)
    );
  end if;
end
$$;

comment on function pgflow._require_quantity is 'Raise where a quantity is negative.';
