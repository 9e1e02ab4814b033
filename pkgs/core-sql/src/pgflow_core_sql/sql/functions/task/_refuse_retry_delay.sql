-- Raise the error that no retry delay can be computed.
--
-- Parameters: as in calculate_retry_delay.
-- Returns: never.
-- Errors: PF015 always.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._refuse_retry_delay(
  base_delay numeric, attempts_count int, max_delay int, jitter double precision, backoff text
)
returns int
language plpgsql
parallel safe
as $$
begin
  perform pgflow._refuse_argument(
    'a retry delay is computed from delays and attempts that are not negative, a jitter from 0 to '
    '1, and a backoff that is exponential or fixed',
    format('base_delay=%s attempts_count=%s max_delay=%s jitter=%s backoff=%s',
      _refuse_retry_delay.base_delay, _refuse_retry_delay.attempts_count,
      _refuse_retry_delay.max_delay, _refuse_retry_delay.jitter, _refuse_retry_delay.backoff)
  );
  return null;
end
$$;

comment on function pgflow._refuse_retry_delay is
'Raise the error that no retry delay can be computed.';
