"""Going on with runs that failed or were cancelled."""

import psycopg
import pytest

from .conftest import Engine


def retry(engine: Engine, run_id: object) -> str:
    return engine.value("select status from pgflow.retry_run(%s)", run_id)


def test_a_failed_run_goes_on_where_it_failed(engine: Engine, chain: str):
    run_id = engine.start(chain)
    engine.complete(engine.claim()[0], "kept")
    engine.fail(engine.claim()[0])
    assert engine.run(run_id)["failed_step_slug"] == "second"

    assert retry(engine, run_id) == "started"

    engine.check()
    done = engine.finish()
    assert [task.step for task in done] == ["second", "third"]
    assert done[0].input == {"first": "kept"}
    assert engine.run(run_id)["status"] == "completed"
    assert engine.run(run_id)["error_message"] is None
    engine.check()


def test_all_attempts_are_there_again_and_the_old_ones_stay_on_record(engine: Engine):
    slug = engine.flow("flaky", {"only": {}}, max_attempts=2, base_delay=0)
    run_id = engine.start(slug)
    for _ in range(2):
        engine.fail(engine.claim()[0], is_final=False)
    assert engine.run(run_id)["status"] == "failed"

    retry(engine, run_id)
    engine.fail(engine.claim()[0], is_final=False)

    assert engine.run(run_id)["status"] == "started"
    engine.fail(engine.claim()[0], is_final=False)
    assert engine.run(run_id)["status"] == "failed"
    attempts = engine.rows("select attempt, error_message from pgflow.task_attempts order by 1")
    assert attempts == [(1, "boom"), (2, "boom"), (3, "boom"), (4, "boom")]
    engine.check()


def test_completed_elements_of_a_map_are_not_done_again(engine: Engine):
    slug = engine.flow("fan", {"each": {"step_type": "map"}, "sum": {"deps_slugs": ["each"]}})
    run_id = engine.start(slug, [10, 20, 30])
    tasks = {task.index: task for task in engine.claim()}
    engine.complete(tasks[0], "done before")
    engine.fail(tasks[1])

    retry(engine, run_id)

    engine.check()
    done = engine.finish(lambda task: "done after")
    assert sorted((task.step, task.index) for task in done) == [
        ("each", 1),
        ("each", 2),
        ("sum", 0),
    ]
    assert done[-1].input == {"each": ["done before", "done after", "done after"]}
    assert engine.run(run_id)["status"] == "completed"
    engine.check()


def test_results_of_attempts_before_the_retry_are_refused(engine: Engine):
    slug = engine.flow("fan", {"each": {"step_type": "map"}})
    run_id = engine.start(slug, [1, 2])
    slow, failing = engine.claim()
    engine.fail(failing)

    retry(engine, run_id)
    again = {task.index: task for task in engine.claim()}

    assert engine.refusals(slow) == ["stale_attempt"]
    assert engine.refusals(again[slow.index]) == []
    engine.check()


def test_steps_that_were_skipped_after_a_failure_are_tried_again(engine: Engine):
    slug = engine.flow(
        "skipping",
        {
            "risky": {"when_exhausted": "skip-cascade"},
            "after_risky": {"deps_slugs": ["risky"]},
            "other": {},
        },
    )
    run_id = engine.start(slug)
    tasks = {task.step: task for task in engine.claim()}
    engine.fail(tasks["risky"])
    engine.fail(tasks["other"])
    assert engine.states(run_id) == {
        "risky": "skipped",
        "after_risky": "skipped",
        "other": "failed",
    }

    retry(engine, run_id)

    assert sorted(task.step for task in engine.finish()) == ["after_risky", "other", "risky"]
    assert engine.run(run_id)["status"] == "completed"
    engine.check()


def test_a_child_that_did_without_a_skipped_parent_keeps_its_output(engine: Engine):
    slug = engine.flow(
        "optional",
        {
            "maybe": {"when_exhausted": "skip"},
            "child": {"deps_slugs": ["maybe"]},
            "last": {"deps_slugs": ["child"]},
        },
    )
    run_id = engine.start(slug)
    engine.fail(engine.claim()[0])
    (child,) = engine.claim()
    assert child.input == {}
    engine.complete(child, "alone")
    engine.fail(engine.claim()[0])

    retry(engine, run_id)

    engine.check()
    assert sorted(task.step for task in engine.finish()) == ["last", "maybe"]
    assert engine.run(run_id)["status"] == "completed"
    engine.check()


def test_a_cancelled_run_goes_on(engine: Engine, chain: str):
    run_id = engine.start(chain)
    engine.complete(engine.claim()[0])
    engine.rows("select * from pgflow.cancel_run(%s)", run_id)

    assert retry(engine, run_id) == "started"

    assert [task.step for task in engine.finish()] == ["second", "third"]
    assert engine.run(run_id)["status"] == "completed"
    engine.check()


def test_a_condition_that_failed_the_run_is_asked_again(engine: Engine):
    slug = engine.flow(
        "guarded",
        {
            "check": {},
            "guarded": {
                "deps_slugs": ["check"],
                "required_input_pattern": '{"check": true}',
                "when_unmet": "fail",
            },
        },
    )
    run_id = engine.start(slug)
    engine.complete(engine.claim()[0], False)
    assert engine.run(run_id)["status"] == "failed"

    assert retry(engine, run_id) == "failed"
    engine.check()

    assert engine.value("select status from pgflow.restart_run(%s, 'check')", run_id) == "started"
    engine.finish(lambda task: True)
    assert engine.run(run_id)["status"] == "completed"
    engine.check()


def test_a_run_under_way_stays_as_it_is(engine: Engine, chain: str):
    run_id = engine.start(chain)
    (task,) = engine.claim()

    assert retry(engine, run_id) == "started"

    assert engine.refusals(task) == []
    engine.check()


def test_a_completed_run_has_nothing_to_retry(engine: Engine, chain: str):
    run_id = engine.start(chain)
    engine.finish()

    with pytest.raises(psycopg.Error) as raised:
        retry(engine, run_id)

    assert raised.value.sqlstate == "PF010"
    assert engine.run(run_id)["status"] == "completed"


def test_steps_that_a_condition_skipped_stay_skipped(engine: Engine):
    slug = engine.flow(
        "mixed",
        {
            "guarded": {
                "required_input_pattern": '{"go": true}',
                "when_unmet": "skip-cascade",
            },
            "after_guarded": {"deps_slugs": ["guarded"]},
            "failing": {},
        },
    )
    run_id = engine.start(slug, {})
    engine.fail(engine.claim()[0])

    retry(engine, run_id)

    assert [task.step for task in engine.finish()] == ["failing"]
    assert engine.states(run_id) == {
        "guarded": "skipped",
        "after_guarded": "skipped",
        "failing": "completed",
    }
    engine.check()


def test_a_step_that_got_along_without_one_that_is_tried_again_is_not_skipped_with_it(
    engine: Engine,
):
    slug = engine.flow(
        "detour",
        {
            "check": {"when_exhausted": "skip"},
            "guarded": {
                "deps_slugs": ["check"],
                "forbidden_input_pattern": '{"check": "bad"}',
                "when_unmet": "skip-cascade",
                "when_exhausted": "skip",
            },
            "child": {"deps_slugs": ["guarded"]},
            "last": {"deps_slugs": ["child"]},
            "slow": {},
            "other": {"deps_slugs": ["child"], "after_slugs": ["slow"]},
        },
    )
    run_id = engine.start(slug)
    engine.fail(next(task for task in engine.claim() if task.step == "check"))
    engine.fail(engine.claim()[0])
    engine.complete(engine.claim()[0])
    engine.fail(engine.claim()[0])

    retry(engine, run_id)
    tasks = {task.step: task for task in engine.claim()}
    assert sorted(tasks) == ["check", "last", "slow"]
    engine.complete(tasks["check"], "bad")

    # `last` was under way by then, `other` still waited.
    assert engine.states(run_id) == {
        "check": "completed",
        "slow": "started",
        "guarded": "skipped",
        "child": "completed",
        "last": "started",
        "other": "skipped",
    }
    engine.check()
    engine.complete(tasks["slow"])
    assert engine.complete(tasks["last"]) == "completed"
    assert engine.run(run_id)["status"] == "completed"
    engine.check()
