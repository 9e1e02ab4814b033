-- Notify workers that sleep for want of work of these flows; without sleepers nothing is sent.
--
-- Parameters:
--   flow_slugs: flows that have work.
-- Returns: nothing.
-- Locks: none; a notification is sent at commit, to channel pgflow_tasks, its payload the flow.
-- Idempotent: yes.
create or replace function pgflow._wake_workers(flow_slugs text [])
returns void
language plpgsql
as $$
begin
  -- Of notifications that are alike, a transaction sends one.
  perform pg_notify('pgflow_tasks', waiting.flow_slug)
  from pgflow.waiting_workers as waiting
  where waiting.flow_slug = any (_wake_workers.flow_slugs);
end
$$;

comment on function pgflow._wake_workers is
'Notify workers that sleep for want of work of these flows; without sleepers nothing is sent.';
