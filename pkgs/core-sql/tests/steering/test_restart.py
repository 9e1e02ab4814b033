"""Repeating a step of a run and all that depends on it."""

import threading

import psycopg
import pytest

from tests.support import until

from .conftest import Engine


def restart(engine: Engine, run_id: object, step: str) -> str:
    return engine.value("select status from pgflow.restart_run(%s, %s)", run_id, step)


def test_the_step_and_its_dependents_are_repeated_and_others_are_not(engine: Engine):
    slug = engine.flow(
        "diamond",
        {
            "top": {},
            "left_side": {"deps_slugs": ["top"]},
            "right_side": {"deps_slugs": ["top"]},
            "bottom": {"deps_slugs": ["left_side", "right_side"]},
        },
    )
    run_id = engine.start(slug)
    engine.finish(lambda task: "old")

    assert restart(engine, run_id, "left_side") == "started"

    engine.check()
    done = engine.finish(lambda task: "new")
    assert [task.step for task in done] == ["left_side", "bottom"]
    assert done[-1].input == {"left_side": "new", "right_side": "old"}
    assert engine.run(run_id)["output"] == {"bottom": "new"}
    engine.check()


def test_a_map_can_have_another_length_the_second_time(engine: Engine):
    slug = engine.flow("fan", {"make": {}, "each": {"deps_slugs": ["make"], "step_type": "map"}})
    run_id = engine.start(slug)
    engine.complete(engine.claim()[0], [1, 2, 3])
    engine.finish()

    restart(engine, run_id, "make")
    engine.complete(engine.claim()[0], ["only"])
    done = engine.finish(lambda task: task.input)

    assert [task.index for task in done] == [0]
    assert engine.run(run_id)["output"] == {"each": ["only"]}
    engine.check()


def test_an_attempt_from_before_the_restart_is_fenced(engine: Engine, chain: str):
    run_id = engine.start(chain)
    (old,) = engine.claim()

    restart(engine, run_id, "first")
    (new,) = engine.claim()

    assert new.attempt > old.attempt
    assert engine.refusals(old, "late") == ["stale_attempt"]
    assert engine.refusals(new, "right") == []
    assert engine.claim()[0].input == {"first": "right"}
    engine.check()


def test_a_failed_run_ends_after_a_restart_elsewhere(engine: Engine):
    slug = engine.flow("two", {"good": {}, "bad": {}})
    run_id = engine.start(slug)
    tasks = {task.step: task for task in engine.claim()}
    engine.complete(tasks["good"])
    engine.fail(tasks["bad"])

    restart(engine, run_id, "good")

    assert sorted(task.step for task in engine.finish()) == ["bad", "good"]
    assert engine.run(run_id)["status"] == "completed"
    engine.check()


def test_what_another_step_s_skip_took_stays_skipped(engine: Engine):
    slug = engine.flow(
        "two_ways",
        {
            "good": {},
            "unmet": {"required_input_pattern": '{"go": true}', "when_unmet": "skip-cascade"},
            "both": {"deps_slugs": ["good", "unmet"]},
            "below": {"deps_slugs": ["both"]},
            "end": {"deps_slugs": ["good"]},
        },
    )
    run_id = engine.start(slug, {})
    engine.finish()

    restart(engine, run_id, "good")

    assert [task.step for task in engine.finish()] == ["good", "end"]
    assert engine.states(run_id)["both"] == "skipped"
    engine.check()

    # Asked for by name, it runs after all, and so does what depends on it.
    restart(engine, run_id, "both")
    assert [task.step for task in engine.finish()] == ["both", "below"]
    assert engine.run(run_id)["output"] == {"below": 0, "end": 0}
    engine.check()


def test_repeated_steps_have_all_their_attempts(engine: Engine):
    slug = engine.flow("flaky", {"only": {}}, max_attempts=2, base_delay=0)
    run_id = engine.start(slug)
    engine.fail(engine.claim()[0], is_final=False)
    engine.finish()

    restart(engine, run_id, "only")
    engine.fail(engine.claim()[0], is_final=False)

    assert engine.run(run_id)["status"] == "started"
    engine.finish()
    assert engine.run(run_id)["status"] == "completed"
    engine.check()


def test_a_step_that_has_not_begun_has_nothing_to_repeat(engine: Engine, chain: str):
    run_id = engine.start(chain)
    engine.complete(engine.claim()[0])
    (task,) = engine.claim()
    before = engine.rows("select * from pgflow.runs")

    assert restart(engine, run_id, "third") == "started"

    assert engine.rows("select * from pgflow.runs") == before
    assert engine.value("select count(*) from pgflow.run_reopenings") == 0
    assert engine.refusals(task) == []
    engine.finish()
    assert engine.run(run_id)["status"] == "completed"
    engine.check()


def test_an_unknown_step_is_refused(engine: Engine, chain: str):
    run_id = engine.start(chain)
    with pytest.raises(psycopg.Error) as raised:
        restart(engine, run_id, "fourth")
    assert raised.value.sqlstate == "PF003"


def test_a_claim_that_is_not_committed_yet_is_fenced_too(engine: Engine, db: str):
    slug = engine.flow("one", {"only": {}})
    run_id = engine.start(slug)
    with psycopg.connect(db) as claiming, psycopg.connect(db, autocommit=True) as restarting:
        row = claiming.execute(
            "select attempts_count from pgflow.claim_tasks(%s, 1, %s)", ([slug], engine.worker_id)
        ).fetchone()
        repeat = threading.Thread(
            target=restarting.execute,
            args=("select * from pgflow.restart_run(%s, 'only')", (run_id,)),
        )
        repeat.start()
        until(
            lambda: engine.value(
                "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s",
                restarting.info.backend_pid,
            )
        )
        claiming.commit()
        repeat.join(10)

    (fresh,) = engine.claim()

    assert row is not None
    assert fresh.attempt > row[0]
    engine.check()
