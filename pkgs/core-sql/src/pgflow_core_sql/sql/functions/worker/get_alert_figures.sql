-- Read what alerts look at besides the queues: workers, and what keeps the queue's table large.
--
-- Sessions of other users are seen where the owner of the schema may read all statistics.
--
-- Returns: one row: workers that beat within their lease; those that did not, and did not stop,
--   within the last hour; seconds since the oldest transaction of this database began that keeps
--   dead rows from being removed, 0 where there is none; and the dead rows of step_tasks, as far as
--   statistics know.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow.get_alert_figures()
returns table (
  living_workers bigint, lost_workers bigint, oldest_transaction double precision, dead_rows bigint
)
language plpgsql
security definer
set search_path to pg_catalog, pg_temp
as $$
begin
  select
    count(*) filter (where not pgflow._is_lost(worker)),
    count(*) filter (
      where pgflow._is_lost(worker)
        and worker.last_heartbeat_at > clock_timestamp() - interval '1 hour'
    )
  into living_workers, lost_workers
  from pgflow.workers as worker
  where worker.stopped_at is null;
  select coalesce(extract(epoch from clock_timestamp() - min(activity.xact_start)), 0)
  into oldest_transaction
  from pg_stat_activity as activity
  where activity.datname = current_database() and activity.pid <> pg_backend_pid()
    and (activity.backend_xmin is not null or activity.backend_xid is not null)
    and activity.backend_type <> 'autovacuum worker';
  dead_rows := pg_stat_get_dead_tuples('pgflow.step_tasks'::regclass);
  return next;
end
$$;

comment on function pgflow.get_alert_figures is
'Read what alerts look at besides the queues: workers, and what keeps the queue''s table large.';
