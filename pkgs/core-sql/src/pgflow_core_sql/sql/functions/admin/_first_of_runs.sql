-- Keep as many runs of a list as have a bounded number of rows together.
--
-- Parameters:
--   run_ids: the runs.
--   most: how many tasks and stream items.
-- Returns: the first of the runs, up to the one that goes beyond the bound; never NULL.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._first_of_runs(run_ids uuid [], most bigint)
returns uuid []
language plpgsql
stable
as $$
begin
  return array(
    select counted.run_id
    from (
      select listed.run_id, listed.place,
        sum(size.tasks) over (order by listed.place) - size.tasks as tasks_before
      from unnest(_first_of_runs.run_ids) with ordinality as listed (run_id, place)
      cross join lateral (
        select coalesce(sum(state.initial_tasks), 0) + coalesce(sum(stream.last_position), 0)
          as tasks
        from pgflow.step_states as state
        left join pgflow.streams as stream
          on stream.run_id = state.run_id and stream.step_slug = state.step_slug
        where state.run_id = listed.run_id
      ) as size
    ) as counted
    where counted.tasks_before < _first_of_runs.most
    order by counted.place
  );
end
$$;

comment on function pgflow._first_of_runs is
'Keep as many runs of a list as have a bounded number of rows together.';
