"""Deleting what ended long ago."""

from datetime import timedelta

import psycopg
import pytest

from .conftest import Engine


def prune(engine: Engine, retention: str = "1 day", quantity: int = 1000) -> int:
    return engine.value("select pgflow.prune_data_older_than(%s, %s)", retention, quantity)


def age(engine: Engine, days: int) -> None:
    """Let everything there is have happened some days earlier."""
    engine.conn.execute(
        "update pgflow.runs set started_at = started_at - %(by)s, completed_at = completed_at"
        " - %(by)s, failed_at = failed_at - %(by)s, cancelled_at = cancelled_at - %(by)s",
        {"by": timedelta(days=days)},
    )


def test_ended_runs_go_with_all_their_rows(engine: Engine, chain: str):
    engine.start(chain)
    engine.finish()
    failed = engine.start(chain)
    engine.fail(engine.claim()[0])
    assert engine.run(failed)["status"] == "failed"
    age(engine, 2)

    assert prune(engine) == 2

    for table in ("runs", "step_states", "step_tasks", "task_attempts"):
        assert engine.value(f"select count(*) from pgflow.{table}") == 0, table
    assert engine.value("select count(*) from pgflow.flows") == 1


def test_recent_runs_and_runs_under_way_stay(engine: Engine, chain: str):
    old_but_alive = engine.start(chain)
    age(engine, 100)
    recent = engine.start(chain)
    for task in engine.claim():
        if task.run_id == recent:
            engine.complete(task)
    engine.rows("select * from pgflow.cancel_run(%s)", recent)

    assert prune(engine) == 0

    assert engine.run(old_but_alive)["status"] == "started"
    assert engine.run(recent)["status"] == "cancelled"


def test_a_call_deletes_a_bounded_number(engine: Engine, chain: str):
    engine.rows("select pgflow.start_flows(%s, array_fill('{}'::jsonb, array[25]))", chain)
    engine.value("select pgflow.cancel_flow_runs(%s)", chain)
    age(engine, 2)

    assert [prune(engine, quantity=10) for _ in range(4)] == [10, 10, 5, 0]


def test_runs_that_somebody_holds_are_passed_over(engine: Engine, chain: str, db: str):
    held, free = engine.start(chain), engine.start(chain)
    engine.value("select pgflow.cancel_flow_runs(%s)", chain)
    age(engine, 2)

    with psycopg.connect(db) as conn:
        conn.execute("select from pgflow.runs where run_id = %s for update", (held,))
        assert prune(engine) == 1

    assert engine.rows("select run_id from pgflow.runs") == [(held,)]
    assert free != held


@pytest.mark.parametrize("retention", [None, "-1 day"])
def test_a_retention_that_makes_no_sense_is_refused(engine: Engine, retention: str | None):
    with pytest.raises(psycopg.Error) as raised:
        engine.value("select pgflow.prune_data_older_than(%s::interval)", retention)
    assert raised.value.sqlstate == "PF005"
