-- Find the worker functions that are to be called now, and hold them.
--
-- Returns: those that are enabled, were not called within their debounce, have no worker that is
--   alive and not deprecated, and whose flows have work or are not known.
-- Locks: their rows, skipping those that another session calls.
-- Idempotent: yes.
create or replace function pgflow._functions_to_invoke()
returns setof pgflow.worker_functions
language plpgsql
as $$
begin
  return query
  select idle.*
  from pgflow.worker_functions as idle
  where idle.enabled
    and (
      idle.last_invoked_at is null or idle.last_invoked_at < clock_timestamp() - idle.debounce
    )
    and not exists (
      select from pgflow.workers as worker
      where worker.function_name = idle.function_name and worker.stopped_at is null
        and worker.deprecated_at is null and not pgflow._is_lost(worker)
    )
    and (cardinality(idle.flow_slugs) = 0 or pgflow._has_work(
      -- A version that is new may have no worker yet but the one that is to be called.
      idle.flow_slugs || array(
        select pgflow._current_version(split_part(flow.slug, '@', 1))
        from unnest(idle.flow_slugs) as flow (slug)
      )
    ))
  order by idle.function_name
  for update skip locked;
end
$$;

comment on function pgflow._functions_to_invoke is
'Find the worker functions that are to be called now, and hold them.';
