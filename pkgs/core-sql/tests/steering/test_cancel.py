"""Cancelling runs."""

import threading

import psycopg
import pytest

from tests.support import until

from .conftest import Engine


def test_queued_tasks_and_waiting_steps_end_at_once(engine: Engine, chain: str):
    run_id = engine.start(chain)

    engine.rows("select * from pgflow.cancel_run(%s, 'not needed')", run_id)

    assert engine.run(run_id)["status"] == "cancelled"
    assert engine.run(run_id)["error_message"] == "not needed"
    assert set(engine.states(run_id).values()) == {"cancelled"}
    assert engine.statuses(run_id, "first") == ["cancelled"]
    assert engine.claim() == []
    engine.check()


def test_late_results_of_a_cancelled_run_are_refused(engine: Engine, chain: str):
    run_id = engine.start(chain)
    (task,) = engine.claim()

    engine.rows("select * from pgflow.cancel_run(%s)", run_id)

    assert engine.refusals(task) == ["cancelled"]
    assert engine.fail(task) == "cancelled"
    assert engine.run(run_id)["status"] == "cancelled"
    engine.check()


def test_a_worker_learns_which_of_its_attempts_are_lost(engine: Engine, chain: str):
    kept, lost = engine.start(chain), engine.start(chain)
    tasks = engine.claim()
    engine.rows("select * from pgflow.cancel_run(%s)", lost)

    found = engine.rows(
        "select run_id, refused from pgflow.find_lost_attempts(%s, %s, %s, %s)",
        [task.run_id for task in tasks],
        [task.step for task in tasks],
        [task.index for task in tasks],
        [task.attempt for task in tasks],
    )

    assert {task.run_id for task in tasks} == {kept, lost}
    assert found == [(lost, "cancelled")]


def test_cancelling_again_or_after_the_end_changes_nothing(engine: Engine, chain: str):
    cancelled, completed = engine.start(chain), engine.start(chain)
    engine.rows("select * from pgflow.cancel_run(%s, 'once')", cancelled)
    engine.finish()

    engine.rows("select * from pgflow.cancel_run(%s, 'twice')", cancelled)
    engine.rows("select * from pgflow.cancel_run(%s)", completed)

    assert engine.run(cancelled)["error_message"] == "once"
    assert engine.run(completed)["status"] == "completed"
    engine.check()


def test_an_unknown_run_cannot_be_cancelled(engine: Engine):
    with pytest.raises(psycopg.Error) as raised:
        engine.rows("select * from pgflow.cancel_run(gen_random_uuid())")
    assert raised.value.sqlstate == "PF002"


def test_runs_are_cancelled_in_bulk_and_by_flow(engine: Engine, chain: str):
    other = engine.flow("other", {"only": {}})
    runs = [engine.start(chain) for _ in range(5)]
    untouched = engine.start(other)

    some = engine.rows("select pgflow.cancel_runs(%s)", runs[:2])
    rest = engine.value("select pgflow.cancel_flow_runs(%s, 'closing', 100)", chain)

    assert {row[0] for row in some} == set(runs[:2])
    assert rest == 3
    assert {engine.run(run_id)["status"] for run_id in runs} == {"cancelled"}
    assert engine.run(untouched)["status"] == "started"
    engine.check()


@pytest.mark.parametrize("first", ["complete", "cancel"])
def test_complete_and_cancel_wait_for_each_other(engine: Engine, chain: str, db: str, first: str):
    run_id = engine.start(chain)
    (task,) = engine.claim()
    complete = (
        "select * from pgflow.complete_task(%s, %s, %s, '1', %s)",
        (task.run_id, task.step, task.index, task.attempt),
    )
    cancel = ("select * from pgflow.cancel_run(%s)", (run_id,))
    early, late = (complete, cancel) if first == "complete" else (cancel, complete)

    with psycopg.connect(db) as one, psycopg.connect(db, autocommit=True) as two:
        one.execute(*early)
        waiting = threading.Thread(target=two.execute, args=late)
        waiting.start()
        until(
            lambda: engine.value(
                "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s",
                two.info.backend_pid,
            )
        )
        one.commit()
        waiting.join(10)
        assert not waiting.is_alive()

    assert engine.run(run_id)["status"] == "cancelled"
    assert engine.states(run_id)["first"] == ("completed" if first == "complete" else "cancelled")
    engine.check()
