-- Ask those who report elements of maps to let the caller have these runs alone.
--
-- Reports hold their runs for key share, and many at once. A session that wants such a run for
-- update waits until nobody has it, which under load is never: the next report does not queue
-- behind it, for it does not have to wait for the reports before it.
--
-- Parameters:
--   run_ids: the runs.
-- Returns: nothing; waits for nobody.
-- Locks: an advisory lock of each run that several may report at once, at most 64 of them, until
--   the transaction ends; reports see it in _give_way.
-- Idempotent: yes.
create or replace function pgflow._ask_for_way(run_ids uuid [])
returns void
language plpgsql
as $$
begin
  -- Where it cannot be had, another session has asked, or a report is looking at this moment.
  perform pg_try_advisory_xact_lock(pgflow._way_key(held.run_id))
  from (
    select run.run_id
    from pgflow.runs as run
    -- Has been locked since it was last written, as only runs with maps under way are.
    where run.run_id = any (_ask_for_way.run_ids) and run.xmax <> '0'
    limit 64
  ) as held;
end
$$;

comment on function pgflow._ask_for_way is
'Ask those who report elements of maps to let the caller have these runs alone.';
