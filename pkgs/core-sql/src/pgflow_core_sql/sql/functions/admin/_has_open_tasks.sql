-- Tell whether a run that is under way has an id in a range.
--
-- By the indexes of tasks that are queued or held, which have nothing else in them: it takes no
-- longer where there are many runs. Each run that is under way has such a task.
--
-- Parameters:
--   first_id, end_id: the smallest id in the range, NULL for no bound, and the smallest after it.
-- Returns: whether there is one.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._has_open_tasks(first_id uuid, end_id uuid)
returns boolean
language plpgsql
set enable_seqscan to off
set enable_bitmapscan to off
as $$
declare
  v_first uuid := coalesce(
    _has_open_tasks.first_id, '00000000-0000-0000-0000-000000000000'
  );
begin
  -- Each in the order of its index, so that no other index will do.
  perform from pgflow.step_tasks as task
  where task.run_id >= v_first and task.run_id < _has_open_tasks.end_id
    and task.status = 'started' and task.last_worker_id is not null
  order by task.last_worker_id
  limit 1;
  if found then
    return true;
  end if;
  perform from pgflow.step_tasks as task
  where task.run_id >= v_first and task.run_id < _has_open_tasks.end_id
    and task.status = 'queued' and task.order_at = 'infinity'
  order by task.flow_slug, task.available_at
  limit 1;
  if found then
    return true;
  end if;
  perform from pgflow.step_tasks as task
  where task.run_id >= v_first and task.run_id < _has_open_tasks.end_id
    and task.status = 'queued' and task.order_at < 'infinity' and task.claimed_apart
  order by task.flow_slug, task.step_slug, task.priority desc, task.order_at
  limit 1;
  if found then
    return true;
  end if;
  perform from pgflow.step_tasks as task
  where task.run_id >= v_first and task.run_id < _has_open_tasks.end_id
    and task.status = 'queued' and task.order_at < 'infinity' and not task.claimed_apart
  order by task.flow_slug, task.priority desc, task.order_at
  limit 1;
  return found;
end
$$;

comment on function pgflow._has_open_tasks is
'Tell whether a run that is under way has an id in a range.';
