-- Decide how a flow is brought in line with its code.
--
-- Parameters:
--   flow_name: the name of the flow.
--   shape, allow_data_loss, make_version: as in ensure_flow_compiled.
-- Returns: the status that ensure_flow_compiled is to return, the version that has the structure
--   where one is to be kept, and how the shape differs from what new runs take, or from the
--   youngest version where they take none; no differences where a version is to be kept.
-- Locks: none; the caller keeps others from compiling the flow.
-- Idempotent: yes.
create or replace function pgflow._plan_compilation(
  flow_name text,
  shape jsonb,
  allow_data_loss boolean,
  make_version boolean,
  out status text,
  out version_slug text,
  out differences text []
)
language plpgsql
as $$
declare
  v_slugs text[] := pgflow._versions_of(_plan_compilation.flow_name);
  v_current text;
begin
  differences := '{}';
  if v_slugs is null then
    status := 'compiled';
    return;
  end if;
  v_current := coalesce(
    pgflow._current_version(_plan_compilation.flow_name), v_slugs[cardinality(v_slugs)]
  );
  version_slug := pgflow._find_version(_plan_compilation.flow_name, _plan_compilation.shape);
  -- Whoever may lose data develops, and wants new runs to take the code.
  if version_slug = v_current or (version_slug is not null and not allow_data_loss) then
    status := 'verified';
    return;
  end if;
  version_slug := null;
  status := case
    when allow_data_loss then 'recompiled' when make_version then 'versioned' else 'mismatch'
  end;
  differences := pgflow._compare_flow_shapes(
    _plan_compilation.shape, pgflow._get_flow_shape(v_current)
  );
end
$$;

comment on function pgflow._plan_compilation is
'Decide how a flow is brought in line with its code.';
