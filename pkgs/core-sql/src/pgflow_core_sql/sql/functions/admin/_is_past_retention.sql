-- Tell whether each run in a partition ended longer ago than it is to be kept.
--
-- Parameters:
--   partition_name: a partition of runs.
--   retention: how long runs are kept; NULL is as long as the policy of their flow says.
-- Returns: whether all did. Reads the partition until it finds one that did not.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._is_past_retention(partition_name text, retention interval)
returns boolean
language plpgsql
as $$
declare
  v_is_over boolean;
begin
  execute format(
    $query$
      select not exists (
        select from pgflow_partitions.%I as run
        left join pgflow.retention_policies as own
          on own.flow_slug = split_part(run.flow_slug, '@', 1)
        left join pgflow.retention_policies as common on common.flow_slug = '*'
        where run.status = 'started' or (
          coalesce(run.completed_at, run.failed_at, run.cancelled_at)
            < now() - least(coalesce($1, own.retention, common.retention), '4000 years')
        ) is not true
          or coalesce($1, own.retention, common.retention) is null
      )
    $query$,
    _is_past_retention.partition_name
  )
  into v_is_over
  using _is_past_retention.retention;
  return v_is_over;
end
$$;

comment on function pgflow._is_past_retention is
'Tell whether each run in a partition ended longer ago than it is to be kept.';
