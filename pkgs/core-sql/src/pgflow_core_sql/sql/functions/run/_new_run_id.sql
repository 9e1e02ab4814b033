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
  -- 28672 is the version, 0111, before the fraction. The random UUIDv4 keeps its variant.
  select encode(
    substring(int8send(clock.microseconds / 1000) from 3)
    || int2send((28672 + clock.microseconds % 1000 * 4096 / 1000)::int2)
    || substring(uuid_send(gen_random_uuid()) from 9),
    'hex'
  )::uuid
  from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as microseconds) as clock;
end;

comment on function pgflow._new_run_id is
'Make the id of a new run: a UUIDv7 (RFC 9562), so that ids are ordered by time.';
