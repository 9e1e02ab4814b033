-- Compute how long a failed task waits for its next attempt: base_delay * 2^attempts_count seconds.
--
-- Parameters:
--   base_delay: seconds to start from.
--   attempts_count: attempts so far, the failed one included.
--   max_delay: longest delay in seconds.
--   jitter: fraction of the delay that is drawn at random, 0 to 1.
--   backoff: 'fixed' leaves the delay at base_delay, whatever attempts_count is.
-- Returns: seconds.
-- Locks: none.
-- Idempotent: yes, but for the jitter.
create or replace function pgflow.calculate_retry_delay(
  base_delay numeric, attempts_count int, max_delay int default 3600,
  jitter double precision default 0, backoff text default 'exponential'
)
returns int
language sql
volatile
parallel safe
begin atomic
  -- 2^60 seconds are beyond any cap; a larger power would only cost digits.
  select (
    least(
      calculate_retry_delay.base_delay * case calculate_retry_delay.backoff
        when 'fixed' then 1
        else 2::numeric ^ least(calculate_retry_delay.attempts_count, 60)
      end,
      calculate_retry_delay.max_delay
    )::double precision * (1 - calculate_retry_delay.jitter * random())
  )::int;
end;

comment on function pgflow.calculate_retry_delay is
'Compute how long a failed task waits for its next attempt: base_delay * 2^attempts_count seconds.';
