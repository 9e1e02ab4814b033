-- Raise unless parallel arrays are equally long.
--
-- Parameters:
--   lengths: length of each; NULL where an array is NULL.
-- Returns: nothing.
-- Errors: PF008 they differ.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_equal_lengths(lengths int [])
returns void
language plpgsql
immutable
as $$
begin
  if (_require_equal_lengths.lengths[1] = all (_require_equal_lengths.lengths)) is not true then
    raise exception using
      errcode = 'PF008',
      message = 'parallel arrays differ in length',
      detail = format('lengths=%s', array_to_string(lengths, ',', 'null')),
      hint = 'give one element of each array for each task';
  end if;
end
$$;

comment on function pgflow._require_equal_lengths is
'Raise unless parallel arrays are equally long.';
