-- Raise where a version is named in place of a flow.
--
-- Parameters:
--   flow_slug: what was given; it need not exist.
--   problem: why a version will not do, and what will.
-- Returns: nothing.
-- Errors: PF015 a version is named.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_name(flow_slug text, problem text)
returns void
language plpgsql
as $$
begin
  if _require_name.flow_slug like '%@%' then
    perform pgflow._refuse_argument(
      _require_name.problem, format('flow_slug=%s', left(_require_name.flow_slug, 200))
    );
  end if;
end
$$;

comment on function pgflow._require_name is 'Raise where a version is named in place of a flow.';
