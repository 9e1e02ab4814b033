"""Databases with a past: a million finished runs, or a snapshot that nobody gives up."""

import os
from typing import Any

import psycopg
from pgflow_dsl import Flow

# What a drain of one-step runs leaves behind, written by one statement a table.
_FINISHED = (
    """
    insert into pgflow.runs (
      run_id, flow_slug, status, input, output, remaining_steps, started_at, completed_at
    )
    select
      -- An id of its time, as it would have had.
      encode(
        overlay(
          uuid_send(pgflow.run_id_at(now() - interval '1 day'))
          placing substring(uuid_send(gen_random_uuid()) from 9) from 9
        ),
        'hex'
      )::uuid,
      %(flow)s, 'completed', '1', '{"only": 1}', 0,
      now() - interval '1 day', now() - interval '1 day'
    from generate_series(1, %(count)s::int)
    """,
    """
    insert into pgflow.step_states (
      run_id, step_slug, flow_slug, status, remaining_tasks, initial_tasks, remaining_deps,
      output, created_at, started_at, completed_at
    )
    select run_id, 'only', flow_slug, 'completed', 0, 1, 0, '1', started_at, started_at,
      completed_at
    from pgflow.runs
    where flow_slug = %(flow)s and status = 'completed'
    """,
    """
    insert into pgflow.step_tasks (
      run_id, step_slug, task_index, flow_slug, status, attempts_count, output, queued_at,
      started_at, completed_at
    )
    select run_id, 'only', 0, flow_slug, 'completed', 1, '1', started_at, started_at, completed_at
    from pgflow.runs
    where flow_slug = %(flow)s and status = 'completed'
    """,
)


def add_finished(url: str, flow: Flow[Any], count: int) -> None:
    """Write finished one-step runs."""
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in _FINISHED:
            conn.execute(statement.encode(), {"flow": flow.slug, "count": count})


def idle_seconds() -> float:
    """Return how long a transaction is to be idle before it is measured beside."""
    return float(os.environ.get("PGFLOW_BENCH_IDLE_SECONDS", "60"))
