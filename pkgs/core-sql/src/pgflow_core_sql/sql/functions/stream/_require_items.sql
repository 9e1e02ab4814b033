-- Raise unless what attempts emitted can be stored.
--
-- Parameters:
--   first_numbers, items: as in append_to_streams.
-- Returns: nothing.
-- Errors: PF015 items are no array, or are not numbered from 1.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_items(first_numbers int [], items jsonb [])
returns void
language plpgsql
as $$
declare
  v_place bigint;
begin
  select each.place - 1 into v_place
  from unnest(_require_items.first_numbers, _require_items.items) with ordinality
    as each (first_number, items, place)
  where (each.first_number > 0 and jsonb_typeof(each.items) = 'array') is not true
  limit 1;
  if found then
    perform pgflow._refuse_argument(
      'the items of an attempt are a JSON array, and the first has a number from 1 on',
      format('index=%s', v_place)
    );
  end if;
end
$$;

comment on function pgflow._require_items is
'Raise unless what attempts emitted can be stored.';
