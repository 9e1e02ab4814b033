"""Failing tasks: retries and their delays, and what happens when no attempt is left."""

from typing import Any

import psycopg
import pytest
from core_sql_support import Engine, Refusal, Task, mapping, step

# The clock of the delay is read in the call, so it lies between these two.
DELAY = """
extract(epoch from available_at - (
  select failed_at from pgflow.task_attempts order by attempt desc limit 1
))::float
"""


def delay_of(pg: Engine, task: Task) -> float:
    return float(pg.task(task, DELAY))


@pytest.mark.parametrize(
    ("base", "attempts", "longest", "seconds"),
    [
        (5, 0, 3600, 5),
        (5, 1, 3600, 10),
        (5, 2, 3600, 20),
        (5, 9, 3600, 2560),
        (5, 10, 3600, 3600),
        (5, 29, 3600, 3600),
        (5, 1000, 3600, 3600),
        (1, 2_000_000_000, 2_147_483_647, 2_147_483_647),
        (0, 5, 3600, 0),
        (7, 3, 0, 0),
        (2_147_483_647, 60, 10, 10),
    ],
)
def test_the_delay_doubles_with_each_attempt_up_to_a_cap(
    pg: Engine, base: int, attempts: int, longest: int, seconds: int
):
    assert pg.call("calculate_retry_delay", base, attempts, longest) == seconds


def test_a_fixed_backoff_is_the_same_after_every_attempt(pg: Engine):
    delays = [
        pg.call("calculate_retry_delay", 7, attempts, backoff="fixed") for attempts in (1, 2, 9)
    ]
    assert delays == [7, 7, 7]
    assert pg.call("calculate_retry_delay", 100, 1, 60, backoff="fixed") == 60
    pg.flow(
        "site",
        {"a": step(), "b": step(backoff="exponential")},
        base_delay=100,
        backoff="fixed",
        max_attempts=9,
    )
    pg.start("site")
    waits: dict[str, list[float]] = {"a": [], "b": []}
    for _ in range(3):
        for task in pg.claim():
            pg.fail(task)
            wait = pg.task(task, "round(extract(epoch from available_at - clock_timestamp()))")
            waits[task.step].append(float(wait))
        pg.come_due()
    assert waits == {"a": [100, 100, 100], "b": [200, 400, 800]}


def test_jitter_takes_off_at_most_its_fraction_and_nothing_twice_alike(pg: Engine):
    drawn = pg.column(
        "select pgflow.calculate_retry_delay(1000, 1, 3600, 0.25) from generate_series(1, 500)"
    )
    assert min(drawn) >= 1500
    assert max(drawn) <= 2000
    assert len(set(drawn)) > 100


def test_a_failed_attempt_is_tried_again_after_its_delay(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=30, max_attempts=3)
    pg.start("site")
    task = pg.claim_one("a")
    assert pg.fail(task, message="no network") == []
    assert pg.task(task, "status, error_message, started_at") == ("queued", "no network", None)
    assert 60 <= delay_of(pg, task) < 90
    assert pg.claim() == []
    pg.come_due()
    again = pg.claim_one("a")
    assert again.attempt == 2
    pg.fail(again)
    assert 120 <= delay_of(pg, task) < 150


def test_options_of_the_step_come_before_those_of_the_flow(pg: Engine):
    pg.flow(
        "site",
        {"a": step(base_delay=100, max_delay=150, max_attempts=2, jitter=0.0)},
        base_delay=1,
        max_attempts=1,
        jitter=1.0,
    )
    pg.start("site")
    task = pg.claim_one("a")
    pg.fail(task)
    assert pg.task(task) == "queued"
    assert 150 <= delay_of(pg, task) < 180


def test_a_delay_of_nothing_is_claimable_at_once(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=0)
    pg.start("site")
    pg.fail(pg.claim_one("a"))
    assert pg.claim_one("a").attempt == 2


def test_a_report_may_say_when_to_try_again(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=1000)
    pg.start("site")
    pg.fail(pg.claim_one("a"), delay=0)
    task = pg.claim_one("a")
    pg.fail(task, delay=40)
    assert 40 <= delay_of(pg, task) < 70


def test_a_time_to_try_again_that_is_over_is_now(pg: Engine):
    """As a service says it that was asked for a while ago."""
    pg.flow("site", {"a": step()}, base_delay=1000)
    pg.start("site")
    pg.fail(pg.claim_one("a"), delay=-5)
    assert pg.claim_one("a").attempt == 2


def test_every_failed_attempt_is_kept(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=0, max_attempts=2)
    run_id = pg.start("site")
    pg.fail(pg.claim_one("a"), message="first")
    pg.fail(pg.claim_one("a"), message="second")
    assert pg.rows(
        """
        select attempt, error_message, worker_id, retry_at is null, started_at is not null
        from pgflow.task_attempts where run_id = %s order by attempt
        """,
        run_id,
    ) == [(1, "first", pg.worker_id, False, True), (2, "second", pg.worker_id, True, True)]


def test_the_type_and_the_end_of_the_traceback_are_kept(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    pg.claim_one("a")
    pg.conn.execute(
        "select pgflow.fail_task(%s, 'a', 0, 'no', error_type => %s, traceback => %s)",
        (run_id, "E" * 300, "x" * 20_000 + "end"),
    )
    kind, trace = pg.row("select error_type, traceback from pgflow.task_attempts")
    assert len(kind) == 200
    assert len(trace) == 10_000
    assert trace.endswith("end")


@pytest.mark.parametrize(
    ("message", "kept"),
    [(None, "no error message was given"), ("", ""), ("x" * 20_000, "x" * 10_000)],
    ids=["none", "empty", "long"],
)
def test_messages_are_kept_in_reasonable_length(pg: Engine, message: str | None, kept: str):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    pg.fail(pg.claim_one("a"), message=message, final=True)
    assert pg.run(run_id, "error_message") == kept


@pytest.mark.parametrize("attempts", [0, 1])
def test_one_attempt_and_none_both_mean_once(pg: Engine, attempts: int):
    pg.flow("site", {"a": step()}, max_attempts=attempts)
    run_id = pg.start("site")
    pg.fail(pg.claim_one("a"))
    assert pg.run(run_id, "status") == "failed"


def test_a_final_failure_ends_the_task_whatever_is_left(pg: Engine):
    pg.flow("site", {"a": step()}, max_attempts=10)
    run_id = pg.start("site")
    pg.fail(pg.claim_one("a"), final=True)
    assert pg.run(run_id, "status, failed_step_slug") == ("failed", "a")


def test_an_exhausted_task_fails_step_and_run_and_cancels_the_rest(pg: Engine):
    pg.flow("site", {"a": step(), "m": mapping(), "b": step("a")}, max_attempts=1)
    run_id = pg.start("site", [1, 2])
    tasks = {(task.step, task.index): task for task in pg.claim(2)}
    assert ("a", 0) in tasks
    pg.fail(tasks["a", 0], message="broken")
    assert pg.run(run_id, "status, error_message, failed_step_slug") == ("failed", "broken", "a")
    assert pg.steps(run_id) == {"a": "failed", "m": "cancelled", "b": "cancelled"}
    assert pg.tasks(run_id, "m") == ["cancelled", "cancelled"]
    assert pg.step(run_id, "a", "error_message") == "broken"


def test_one_exhausted_element_fails_the_map_and_completed_ones_stay(pg: Engine):
    pg.flow("maps", {"m": mapping()}, max_attempts=1)
    run_id = pg.start("maps", [1, 2, 3])
    tasks = sorted(pg.claim(2), key=lambda task: task.index)
    pg.complete((tasks[0], "kept"))
    pg.fail(tasks[1])
    assert pg.tasks(run_id, "m", "status, output") == [
        ("completed", "kept"),
        ("failed", None),
        ("cancelled", None),
    ]
    assert pg.step(run_id, "m", "status, output") == ("failed", None)


def test_exhausted_skip_lets_dependents_run_without_the_key(pg: Engine):
    pg.flow(
        "site",
        {
            "a": step(max_attempts=1, when_exhausted="skip"),
            "other": step(),
            "b": step("a", "other"),
            "m": mapping("a"),
        },
    )
    run_id = pg.start("site")
    tasks = {task.step: task for task in pg.claim()}
    pg.fail(tasks["a"], message="broken")
    assert pg.step(run_id, "a", "status, skip_reason, error_message") == (
        "skipped",
        "handler_failed",
        "broken",
    )
    assert pg.task(tasks["a"]) == "failed"
    assert pg.step(run_id, "m", "status, output") == ("completed", [])
    pg.complete((tasks["other"], 1))
    task = pg.claim_one("b")
    assert task.input == {"other": 1}
    pg.complete((task, "end"))
    assert pg.run(run_id, "status, output") == ("completed", {"b": "end", "m": []})


def test_exhausted_skip_of_an_element_skips_the_map_and_its_siblings(pg: Engine):
    pg.flow("maps", {"m": mapping(max_attempts=1, when_exhausted="skip"), "n": mapping("m")})
    run_id = pg.start("maps", [1, 2, 3, 4])
    tasks = sorted(pg.claim(3), key=lambda task: task.index)
    pg.complete((tasks[0], 1))
    pg.fail(tasks[1])
    assert pg.tasks(run_id, "m") == ["completed", "failed", "skipped", "skipped"]
    assert pg.step(run_id, "m", "status, remaining_tasks") == ("skipped", None)
    assert pg.run(run_id) == ("completed", 0, {"n": []})


def test_exhausted_skip_cascade_skips_descendants_and_no_others(pg: Engine):
    pg.flow(
        "site",
        {
            "a": step(max_attempts=1, when_exhausted="skip-cascade"),
            "other": step(),
            "b": step("a", "other"),
            "c": step("b"),
            "d": step("other"),
        },
    )
    run_id = pg.start("site")
    tasks = {task.step: task for task in pg.claim()}
    pg.fail(tasks["a"])
    assert pg.steps(run_id, "skip_reason") == {
        "a": "handler_failed",
        "b": "dependency_skipped",
        "c": "dependency_skipped",
        "other": None,
        "d": None,
    }
    pg.complete((tasks["other"], 1))
    pg.drain({"d": "end"})
    assert pg.run(run_id, "status, output") == ("completed", {"d": "end"})


def test_a_skip_can_fail_the_run_by_a_condition_further_on(pg: Engine):
    pg.flow(
        "site",
        {
            "a": step(max_attempts=1, when_exhausted="skip"),
            "b": step("a", when_unmet="fail", required_input_pattern={"a": {}}),
        },
    )
    run_id = pg.start("site")
    pg.fail(pg.claim_one("a"))
    assert pg.run(run_id, "status, failed_step_slug") == ("failed", "b")


def test_the_first_of_two_exhausted_steps_of_a_batch_fails_the_run(pg: Engine):
    pg.flow("site", {"z": step(), "a": step(), "s": step(when_exhausted="skip")}, max_attempts=1)
    run_id = pg.start("site")
    assert pg.fail(*pg.claim()) == []
    assert pg.run(run_id, "failed_step_slug") == "z"
    assert pg.steps(run_id) == {"z": "failed", "a": "cancelled", "s": "cancelled"}
    assert {task for each in ("z", "a", "s") for task in pg.tasks(run_id, each)} == {"failed"}


def test_two_exhausted_elements_of_one_map_end_it_once(pg: Engine):
    pg.flow("maps", {"m": mapping(max_attempts=1, when_exhausted="skip"), "b": step("m")})
    run_id = pg.start("maps", [1, 2])
    pg.fail(*pg.claim())
    assert pg.step(run_id, "b", "status, remaining_deps") == ("started", 0)


def test_claims_that_were_handed_back_cost_no_attempt(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=10, max_attempts=2)
    run_id = pg.start("site")
    for _ in range(3):
        assert pg.release(pg.claim_one("a")) == 1
    task = pg.claim_one("a")
    assert task.attempt == 4
    pg.fail(task)
    assert 20 <= delay_of(pg, task) < 40
    pg.come_due()
    last = pg.claim_one("a")
    pg.release(last)
    pg.fail(pg.claim_one("a"))
    assert pg.run(run_id, "status") == "failed"


def test_a_failure_that_is_reported_again_is_neither_counted_nor_refused(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=0, max_attempts=2)
    run_id = pg.start("site")
    task = pg.claim_one("a")
    assert pg.fail(task) == []
    assert pg.fail(task) == []
    current = pg.claim_one("a")
    assert pg.fail(task) == []
    assert pg.task(current, "status, attempts_count") == ("started", 2)
    assert pg.fail(current, current) == []
    assert pg.run(run_id, "status") == "failed"
    assert pg.fail(current) == []
    assert pg.value("select count(*) from pgflow.task_attempts") == 2


def test_failures_of_attempts_that_ended_otherwise_are_refused(pg: Engine):
    pg.flow("site", {"a": step(), "b": step(), "c": step()}, base_delay=0)
    run_id = pg.start("site")
    tasks = {task.step: task for task in pg.claim()}
    pg.complete((tasks["a"], 1))
    assert pg.fail(tasks["a"]) == [Refusal("a", 0, 1, "completed")]
    pg.release(tasks["b"])
    assert pg.fail(tasks["b"]) == [Refusal("b", 0, 1, "queued")]
    pg.claim_one("b")
    assert pg.fail(tasks["b"]) == [Refusal("b", 0, 1, "stale_attempt")]
    pg.fail(tasks["c"], final=True)
    assert pg.run(run_id, "status") == "failed"
    assert pg.fail(tasks["b"]) == [Refusal("b", 0, 1, "stale_attempt")]
    assert pg.complete((tasks["c"], 1)) == [Refusal("c", 0, 1, "failed")]


def test_a_failure_without_an_attempt_is_about_the_current_one(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=0, max_attempts=2)
    run_id = pg.start("site")
    for status in ("queued", "failed"):
        pg.claim_one("a")
        row = pg.row("select status from pgflow.fail_task(%s, 'a', 0, 'no')", run_id)
        assert row == (status,)
    row = pg.row("select status from pgflow.fail_task(%s, 'a', 0, 'no')", run_id)
    assert row == ("failed",)


@pytest.mark.parametrize(
    "arrays",
    [
        "array[%(run)s::uuid], array['a'], array[0], '{}'",
        "array[%(run)s::uuid], array['a'], array[0], array['x', 'y']",
        "array[%(run)s::uuid], array['a'], array[0], array['x'], attempts => array[1, 2]",
        "array[%(run)s::uuid], array['a'], array[0], array['x'], are_final => array[true, true]",
        "array[%(run)s::uuid], array['a'], array[0], array['x'], retry_delays => array[1, 2]",
        "null, array['a'], array[0], array['x']",
    ],
)
def test_arrays_of_different_lengths_are_refused(pg: Engine, arrays: str):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    task = pg.claim_one("a")
    with pytest.raises(psycopg.errors.Error, match="differ in length") as refused:
        pg.conn.execute(f"select pgflow.fail_tasks({arrays})", {"run": run_id})
    assert refused.value.sqlstate == "PF008"
    assert pg.task(task) == "started"


@pytest.mark.parametrize("empty", ["null", "'{}'"])
def test_optional_arrays_may_be_left_out(pg: Engine, empty: Any):
    pg.flow("site", {"a": step()}, base_delay=0)
    run_id = pg.start("site")
    task = pg.claim_one("a")
    pg.conn.execute(
        f"select pgflow.fail_tasks(array[%s::uuid], '{{a}}', '{{0}}', '{{x}}', {empty}, {empty})",
        (run_id,),
    )
    assert pg.task(task) == "queued"
