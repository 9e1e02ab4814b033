-- Say how long runs are kept after their end, for one flow or for all that have no policy.
--
-- For whoever owns the schema. Nothing is deleted by that alone: setup_maintenance has it done,
-- prune_by_policy does it once.
--
-- Parameters:
--   retention: how long; not negative. NULL takes the policy back.
--   flow_slug: the name of the flow, for all its versions; NULL is all flows that have no policy of
--     their own.
-- Returns: nothing.
-- Errors: PF001 there is no such flow; PF015 retention is negative, or a version is named.
-- Locks: the policy's row.
-- Writes: retention_policies.
-- Idempotent: yes.
create or replace function pgflow.set_retention(retention interval, flow_slug text default null)
returns void
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
begin
  if set_retention.retention < '0' then
    perform pgflow._refuse_argument(
      'retention has to be a span that is not negative',
      format('retention=%s', set_retention.retention)
    );
  end if;
  perform pgflow._require_name(
    set_retention.flow_slug,
    'a policy is one of a flow with all its versions: name it without @ and a number'
  );
  if not exists (
    select from pgflow.flows as flow where flow.flow_name = set_retention.flow_slug
  ) and set_retention.flow_slug is not null and set_retention.retention is not null then
    perform pgflow._raise_flow_not_found(set_retention.flow_slug);
  end if;
  if set_retention.retention is null then
    delete from pgflow.retention_policies as policy
    where policy.flow_slug = coalesce(set_retention.flow_slug, '*');
    return;
  end if;
  insert into pgflow.retention_policies as policy (flow_slug, retention)
  values (coalesce(set_retention.flow_slug, '*'), set_retention.retention)
  on conflict on constraint retention_policies_pkey do update
  set retention = excluded.retention;
end
$$;

comment on function pgflow.set_retention is
'Say how long runs are kept after their end, for one flow or for all that have no policy.';
