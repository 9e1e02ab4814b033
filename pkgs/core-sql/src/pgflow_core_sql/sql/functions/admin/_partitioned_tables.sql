-- Name the tables that are partitioned by the id of the run, where any are.
--
-- Returns: the names, runs first: whatever is done to one after the other is done to runs first,
--   so that no run is there without the partitions of its other rows.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._partitioned_tables()
returns text []
language sql
immutable
parallel safe
begin atomic
  select array[
    'runs', 'run_reopenings', 'step_states', 'step_tasks', 'task_attempts', 'streams',
    'stream_items'
  ];
end;

comment on function pgflow._partitioned_tables is
'Name the tables that are partitioned by the id of the run, where any are.';
