-- Name the setting of the session that notes where looks at a flow's queue begin.
--
-- Parameters:
--   flow_slug: the flow, or a version of it.
-- Returns: the name.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._queue_setting(flow_slug text)
returns text
language sql
immutable
parallel safe
begin atomic
  select 'pgflow.queue_' || translate(flow_slug, '@', '$');
end;

comment on function pgflow._queue_setting is
'Name the setting of the session that notes where looks at a flow''s queue begin.';
