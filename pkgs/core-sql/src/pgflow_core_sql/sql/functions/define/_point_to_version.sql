-- Have new runs of a flow take a version.
--
-- Parameters:
--   flow_slug: the slug of the version; one that was retired is so no longer.
-- Returns: nothing.
-- Locks: the rows of the flow's versions (for no key update), so that runs may still be started:
--   they take whichever version they have found.
-- Writes: flows.
-- Idempotent: yes.
create or replace function pgflow._point_to_version(flow_slug text)
returns void
language plpgsql
as $$
declare
  v_name text := split_part(_point_to_version.flow_slug, '@', 1);
begin
  perform pgflow._require_flow(v_name);
  update pgflow.flows as flow
  set current_slug = case
      when flow.version = 1 then nullif(_point_to_version.flow_slug, v_name)
    end,
    superseded_at = case
      when flow.flow_slug <> _point_to_version.flow_slug then coalesce(flow.superseded_at, now())
    end,
    retired_at = case
      when flow.flow_slug <> _point_to_version.flow_slug then flow.retired_at
    end
  where flow.flow_name = v_name;
end
$$;

comment on function pgflow._point_to_version is 'Have new runs of a flow take a version.';
