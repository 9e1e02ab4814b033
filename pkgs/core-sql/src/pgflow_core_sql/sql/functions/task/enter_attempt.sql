-- Make the caller's transaction that of an attempt, whose handler will write with it.
--
-- A lost worker may have left the transaction of an earlier attempt open. Its locks would hold this
-- one up for as long as its connection seems to live, so the caller ends such sessions and calls
-- again; it is of the same user, and may do so. That this transaction ends too if its worker is
-- lost, it may not be idle for longer than is said, and a host that is gone is noticed in half a
-- minute.
--
-- Parameters:
--   run_id, step_slug, task_index: the task.
--   attempt: attempts_count of the claim.
--   idle_seconds: how long the transaction may be idle, which is how long the handler may take.
--   waits: whether to wait for the end of an earlier attempt's transaction.
-- Returns: the sessions whose transactions are those of earlier attempts; where there are any,
--   nothing was done. NULL where this attempt counts no longer.
-- Errors: PF015 idle_seconds is less than a second.
-- Locks: an advisory lock on the task until the transaction ends; nothing else, so that whatever
--   the handler locks comes before all runs and tasks.
-- Idempotent: yes.
create or replace function pgflow.enter_attempt(
  run_id uuid, step_slug text, task_index int, attempt int, idle_seconds int,
  waits boolean default false
)
returns int []
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
declare
  v_key bigint := hashtextextended(
    format('pgflow %s %s %s', enter_attempt.run_id, enter_attempt.step_slug,
      enter_attempt.task_index), 0
  );
begin
  if (enter_attempt.idle_seconds > 0) is not true then
    perform pgflow._refuse_argument(
      'a transaction may be idle for a second at least',
      format('idle_seconds=%s', enter_attempt.idle_seconds)
    );
  end if;
  if not exists (
    select from pgflow.step_tasks as task
    where task.run_id = enter_attempt.run_id and task.step_slug = enter_attempt.step_slug
      and task.task_index = enter_attempt.task_index and task.status = 'started'
      and task.attempts_count = enter_attempt.attempt
  ) then
    return null;
  end if;
  perform set_config(setting.name, setting.value, true)
  from (
    values
    -- The server counts milliseconds, in 31 bits.
    (
      'idle_in_transaction_session_timeout',
      format('%ss', least(enter_attempt.idle_seconds, 2147483))
    ),
    ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '4')
  ) as setting (name, value);
  if enter_attempt.waits then
    perform pg_advisory_xact_lock(v_key);
  elsif not pg_try_advisory_xact_lock(v_key) then
    return pgflow._holders_of(v_key);
  end if;
  return array[]::int[];
end
$$;

comment on function pgflow.enter_attempt is
'Make the caller''s transaction that of an attempt, whose handler will write with it.';
