-- Make the id of a new run: a UUIDv7 (RFC 9562), so that ids are ordered by time.
--
-- Returns: 48 bits of milliseconds since 1970, 12 bits of the millisecond's fraction (method 3 of
--   its section 6.2), so that runs started one after the other are listed in that order; then
--   random bits.
-- Locks: none.
-- Idempotent: no, each call makes another id.
create or replace function pgflow._new_run_id()
returns uuid
language sql
volatile
parallel safe
begin atomic
  -- Milliseconds and 4096ths of them make 15 hexadecimal digits; the version goes between them,
  -- and the second half of a random UUIDv4, with its variant, behind. All in one expression, which
  -- PL/pgSQL evaluates without a query.
  select (
    overlay(
      lpad(to_hex(floor(extract(epoch from clock_timestamp()) * 4096000)::bigint), 15, '0')
      placing '7' from 13 for 0
    )
    || encode(substring(uuid_send(gen_random_uuid()) from 9), 'hex')
  )::uuid;
end;

comment on function pgflow._new_run_id is
'Make the id of a new run: a UUIDv7 (RFC 9562), so that ids are ordered by time.';
