-- Make the smallest id that a run started at an instant can have.
--
-- Parameters:
--   instant: the instant.
-- Returns: a UUIDv7 (RFC 9562) of that millisecond, all other bits zero; NULL for NULL. Instants
--   before 1970, or beyond what 48 bits hold, are brought into that range.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.run_id_at(instant timestamptz)
returns uuid
language sql
immutable
parallel safe
begin atomic
  select encode(
    substring(int8send(case
      when extract(epoch from run_id_at.instant) < 0 then 0
      when extract(epoch from run_id_at.instant) > 281474976710 then 281474976710655
      else floor(extract(epoch from run_id_at.instant) * 1000)
    end::bigint) from 3)
      || '\x70008000000000000000'::bytea,
    'hex'
  )::uuid;
end;

comment on function pgflow.run_id_at is
'Make the smallest id that a run started at an instant can have.';
