-- Raise where a version of a flow is retired.
--
-- For a run that was moved to another version while the caller, who holds the one that it had,
-- waited for the run. Whoever retires any version waits for the caller, and then sees the run.
--
-- Parameters:
--   flow_slug: the version.
-- Returns: nothing.
-- Errors: PF016 it is retired.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_unretired(flow_slug text)
returns void
language plpgsql
as $$
begin
  if exists (
    select from pgflow.flows as flow
    where flow.flow_slug = _require_unretired.flow_slug and flow.retired_at is not null
  ) then
    perform pgflow._raise_flow_retired(_require_unretired.flow_slug);
  end if;
end
$$;

comment on function pgflow._require_unretired is 'Raise where a version of a flow is retired.';
