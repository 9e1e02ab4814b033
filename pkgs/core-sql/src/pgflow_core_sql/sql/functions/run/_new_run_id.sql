-- Make the id of a new run: a UUIDv7 (RFC 9562), so that ids are ordered by time.
--
-- Returns: 48 bits of milliseconds since 1970, then random bits.
-- Locks: none.
-- Idempotent: no, each call makes another id.
create or replace function pgflow._new_run_id()
returns uuid
language sql
volatile
parallel safe
begin atomic
  -- A random UUIDv4 is 0100 in its version bits; setting bits 52 and 53 of the byte order that
  -- set_bit counts in makes them 0111.
  select encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(
            int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3
          )
          from 1 for 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid;
end;

comment on function pgflow._new_run_id is
'Make the id of a new run: a UUIDv7 (RFC 9562), so that ids are ordered by time.';
