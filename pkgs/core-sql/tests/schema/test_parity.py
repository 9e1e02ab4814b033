"""What people know of the original by heart is here: names, parameters, columns, types, statuses.

More may be there; new parameters come last and have defaults. Left out is what told of a queue
beside `step_tasks` and of tasks that stall for good: `message_id`, `read_ct`,
`permanently_stalled_at`.
"""

import re
from typing import Any

import psycopg
import pytest

# name: its parameters, where "=" has a default, and what it returns.
FUNCTIONS = {
    "is_valid_slug": ("slug text", "boolean"),
    "create_flow": (
        "flow_slug text, max_attempts integer=, base_delay integer=, timeout integer=",
        "pgflow.flows",
    ),
    "add_step": (
        "flow_slug text, step_slug text, deps_slugs text[]=, max_attempts integer=,"
        " base_delay integer=, timeout integer=, start_delay integer=, step_type text=,"
        " required_input_pattern jsonb=, forbidden_input_pattern jsonb=, when_unmet text=,"
        " when_exhausted text=",
        "pgflow.steps",
    ),
    "_get_flow_shape": ("flow_slug text", "jsonb"),
    "_compare_flow_shapes": ("* jsonb, * jsonb", "text[]"),
    "_create_flow_from_shape": ("flow_slug text, shape jsonb", "void"),
    "ensure_flow_compiled": ("flow_slug text, shape jsonb, allow_data_loss boolean=", "jsonb"),
    "delete_flow_and_data": ("flow_slug text", "void"),
    "start_flow": ("flow_slug text, input jsonb, run_id uuid=", "setof pgflow.runs"),
    "start_flow_with_states": ("flow_slug text, input jsonb, run_id uuid=", "jsonb"),
    "get_run_with_states": ("run_id uuid", "jsonb"),
    "complete_task": (
        "run_id uuid, step_slug text, task_index integer, output jsonb",
        "setof pgflow.step_tasks",
    ),
    "fail_task": (
        "run_id uuid, step_slug text, task_index integer, error_message text",
        "setof pgflow.step_tasks",
    ),
    "calculate_retry_delay": ("base_delay numeric, attempts_count integer", "integer"),
    "requeue_stalled_tasks": ("", "integer"),
    "mark_worker_stopped": ("worker_id uuid", "void"),
    "prune_data_older_than": ("retention interval", "integer"),
}
COLUMNS = {
    "flows": {
        *("flow_slug text", "opt_max_attempts integer", "opt_base_delay integer"),
        *("opt_timeout integer", "created_at timestamp with time zone"),
    },
    "steps": {
        *("flow_slug text", "step_slug text", "step_type text", "step_index integer"),
        *("deps_count integer", "opt_max_attempts integer", "opt_base_delay integer"),
        *("opt_timeout integer", "opt_start_delay integer", "required_input_pattern jsonb"),
        *("forbidden_input_pattern jsonb", "when_unmet text", "when_exhausted text"),
        "created_at timestamp with time zone",
    },
    "deps": {
        *("flow_slug text", "dep_slug text", "step_slug text"),
        "created_at timestamp with time zone",
    },
    "runs": {
        *("run_id uuid", "flow_slug text", "status text", "input jsonb", "output jsonb"),
        *("remaining_steps integer", "started_at timestamp with time zone"),
        *("completed_at timestamp with time zone", "failed_at timestamp with time zone"),
    },
    "step_states": {
        *("run_id uuid", "flow_slug text", "step_slug text", "status text", "output jsonb"),
        *("remaining_tasks integer", "initial_tasks integer", "remaining_deps integer"),
        *("error_message text", "skip_reason text", "created_at timestamp with time zone"),
        *("started_at timestamp with time zone", "completed_at timestamp with time zone"),
        *("failed_at timestamp with time zone", "skipped_at timestamp with time zone"),
    },
    "step_tasks": {
        *("run_id uuid", "flow_slug text", "step_slug text", "task_index integer", "status text"),
        *("attempts_count integer", "error_message text", "output jsonb", "last_worker_id uuid"),
        *("requeued_count integer", "last_requeued_at timestamp with time zone"),
        *("queued_at timestamp with time zone", "started_at timestamp with time zone"),
        *("completed_at timestamp with time zone", "failed_at timestamp with time zone"),
    },
    "workers": {
        *("worker_id uuid", "queue_name text", "function_name text"),
        *("started_at timestamp with time zone", "deprecated_at timestamp with time zone"),
        *("stopped_at timestamp with time zone", "last_heartbeat_at timestamp with time zone"),
    },
    "step_task_record": {
        *("flow_slug text", "run_id uuid", "step_slug text", "input jsonb", "task_index integer"),
        "flow_input jsonb",
    },
}
STATUSES = {
    "runs": {"started", "completed", "failed"},
    "step_states": {"created", "started", "completed", "failed", "skipped"},
    "step_tasks": {"queued", "started", "completed", "failed"},
}


def parameters_of(conn: psycopg.Connection[Any], name: str) -> tuple[list[str], str]:
    row = conn.execute(
        """
        select pronargs, pronargdefaults, proargnames,
          array(select format_type(type, null) from unnest(proargtypes) as type),
          case when proretset then 'setof ' else '' end || format_type(prorettype, null)
        from pg_proc
        where pronamespace = 'pgflow'::regnamespace and proname = %s
        """,
        [name],
    ).fetchone()
    assert row is not None, f"there is no function {name}"
    count, defaults, names, types, returned = row
    required = count - defaults
    return [
        f"{name} {type_}" + ("=" if place >= required else "")
        for place, (name, type_) in enumerate(zip(names or [], types, strict=False))
    ], returned


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_and_return_what_those_of_the_original_do(
    conn: psycopg.Connection[Any], name: str
):
    wanted, wanted_type = FUNCTIONS[name]
    found, returned = parameters_of(conn, name)
    first = wanted.split(", ") if wanted else []
    for mine, known in zip(found, first, strict=False):
        assert mine.split(" ", 1)[1] == known.split(" ", 1)[1]
        assert known.startswith("*") or mine == known
    assert len(found) >= len(first)
    assert [more for more in found[len(first) :] if not more.endswith("=")] == []
    assert returned == wanted_type


@pytest.mark.parametrize("table", COLUMNS)
def test_tables_and_types_have_the_columns_of_the_original(
    conn: psycopg.Connection[Any], table: str
):
    found = conn.execute(
        "select attname || ' ' || format_type(atttypid, null) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
        [f"pgflow.{table}"],
    )
    assert COLUMNS[table] - {column for (column,) in found} == set()


@pytest.mark.parametrize("table", STATUSES)
def test_statuses_of_the_original_are_statuses_here(conn: psycopg.Connection[Any], table: str):
    row = conn.execute(
        "select col_description(attrelid, attnum) from pg_attribute"
        " where attrelid = %s::regclass and attname = 'status'",
        [f"pgflow.{table}"],
    ).fetchone()
    assert row is not None
    assert STATUSES[table] <= set(re.findall("[a-z]+", row[0]))
