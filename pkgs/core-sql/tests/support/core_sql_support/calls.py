"""Calls of every public function with arguments that make sense, made from the catalog."""

from typing import Final

import psycopg

from core_sql_support.engine import Engine, mapping, step

SIGNATURES: Final = """
select proname, coalesce(proargnames[1:pronargs], array[]::text[]),
  array(
    select format_type(type, null) from unnest(proargtypes) with ordinality as each (type, place)
    order by place
  )
from pg_proc
where pronamespace = 'pgflow'::regnamespace and proname !~ '^_' and prorettype <> 'trigger'::regtype
order by proname
"""
# Those that need an extension say so, whatever they are asked.
NEEDS_EXTENSION: Final = {
    "cleanup_ensure_workers_logs",
    "ensure_workers",
    "setup_ensure_workers_cron",
    "setup_requeue_stalled_tasks_cron",
}


def define_site(pg: Engine) -> Engine:
    """Define the flow that the calls are about."""
    pg.flow("site", {"m": mapping(), "b": step("m")})
    return pg


def sensible(site: Engine) -> dict[str, str]:
    """Give for the name of an argument an expression that makes sense, if it has to be given."""
    run_id = site.start("site", list(range(9)))
    done, failed = site.claim(2)
    assert (done.index, failed.index) == (0, 1)
    one = {
        **{"flow_slug": "'site'", "job_slug": "'site'", "slug": "'site'", "step_slug": "'m'"},
        **{"from_step": "'m'", "run_id": f"'{run_id}'", "task_index": "0", "attempt": "1"},
        **{"worker_id": f"'{site.worker_id}'", "watcher_id": f"'{site.worker_id}'"},
        **{"output": "'1'", "error_message": "'no'", "input": "'[1]'", "idle_seconds": "60"},
        **{"retention": "'1 day'", "function_name": "'crawl'", "instant": "now()"},
        **{"base_delay": "1", "attempts_count": "1", "quantity": "1", "idempotency_key": "'x'"},
        **{"version": "1", "cancel": "true"},
        **{"shape": """'{"steps": [{"slug": "a"}]}'""", "step_type": "'map'"},
    }
    many = {
        **dict.fromkeys(("flow_slugs", "idempotency_keys"), "{site}"),
        **dict.fromkeys(("run_ids", "completed_run_ids", "failed_run_ids"), f"{{{run_id}}}"),
        **dict.fromkeys(("step_slugs", "completed_step_slugs", "failed_step_slugs"), "{m}"),
        **{"task_indexes": "{0}", "completed_task_indexes": "{0}", "failed_task_indexes": "{1}"},
        **dict.fromkeys(("attempts", "completed_attempts", "failed_attempts"), "{1}"),
        **{"outputs": "{1}", "inputs": '{"[1]"}', "error_messages": "{no}"},
        **{"first_numbers": "{1}", "items": '{"[1]"}'},
    }
    return one | {name: f"'{value}'" for name, value in many.items()}


def arguments_of(
    function: str, names: list[str], types: list[str], known: dict[str, str]
) -> dict[str, str]:
    """Give the arguments of a call that works; what has a default is left out."""
    arguments = {
        name: f"{known[name]}::{type_name}"
        for name, type_name in zip(names, types, strict=True)
        if name in known
    }
    if function.startswith(("start_", "send")):
        arguments.pop("run_id", None)
        arguments.pop("run_ids", None)
    return arguments


def raised(site: Engine, function: str, arguments: dict[str, str]) -> psycopg.errors.Error | None:
    """Call a function, take back what it did, and give the error."""
    places = ", ".join(f"{name} => {value}" for name, value in arguments.items())
    try:
        with site.conn.transaction(force_rollback=True):
            site.conn.execute(f"select * from pgflow.{function}({places})")
    except psycopg.Error as error:
        return error
    return None
