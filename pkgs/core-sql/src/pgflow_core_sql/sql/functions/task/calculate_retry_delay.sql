-- Compute how long a failed task waits for its next attempt: base_delay * 2^attempts_count seconds.
--
-- Parameters:
--   base_delay: seconds to start from.
--   attempts_count: attempts so far, the failed one included.
--   max_delay: longest delay in seconds.
--   jitter: fraction of the delay that is drawn at random, 0 to 1.
--   backoff: 'fixed' leaves the delay at base_delay, whatever attempts_count is.
-- Returns: seconds; NULL where an argument is.
-- Errors: PF015 an argument is negative, the jitter more than 1, or the backoff unknown.
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
  select case
    when calculate_retry_delay.base_delay < 0 or calculate_retry_delay.attempts_count < 0
      or calculate_retry_delay.max_delay < 0 or calculate_retry_delay.jitter not between 0 and 1
      or calculate_retry_delay.backoff not in ('exponential', 'fixed')
      then pgflow._refuse_retry_delay(
        calculate_retry_delay.base_delay, calculate_retry_delay.attempts_count,
        calculate_retry_delay.max_delay, calculate_retry_delay.jitter,
        calculate_retry_delay.backoff
      )
    else (
      least(
        calculate_retry_delay.base_delay * case calculate_retry_delay.backoff
          when 'fixed' then 1
          else 2::numeric ^ least(calculate_retry_delay.attempts_count, 60)
        end,
        calculate_retry_delay.max_delay
      )::double precision * (1 - calculate_retry_delay.jitter * random())
    )::int
  end;
end;

comment on function pgflow.calculate_retry_delay is
'Compute how long a failed task waits for its next attempt: base_delay * 2^attempts_count seconds.';
