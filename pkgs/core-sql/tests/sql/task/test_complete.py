"""Completing tasks: what is recorded, what follows, and which reports are refused."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from core_sql_support import NULL, Engine, Refusal, mapping, step


def test_the_output_ends_task_step_and_run(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    task = pg.claim_one("a")
    assert pg.complete((task, {"n": 1})) == []
    assert pg.task(task, "status, output") == ("completed", {"n": 1})
    assert pg.step(run_id, "a", "status, output, remaining_tasks") == ("completed", {"n": 1}, 0)
    assert pg.run(run_id) == ("completed", 0, {"a": {"n": 1}})


@pytest.mark.parametrize("output", [None, False, 0, "", [], {}])
def test_an_output_that_counts_as_false_is_an_output_like_any_other(pg: Engine, output: Any):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    pg.complete((pg.claim_one("a"), output))
    assert pg.run(run_id) == ("completed", 0, {"a": output})
    assert pg.step(run_id, "a", "output::text") is not None


def test_the_run_has_the_outputs_of_its_completed_leaves_only(pg: Engine):
    unmet = {"required_input_pattern": {"never": 1}}
    pg.flow(
        "site",
        {"a": step(), "leaf": step("a"), "map": mapping("a"), "gone": step("a", **unmet)},
    )
    run_id = pg.start("site")
    pg.drain({"a": [1, 2], "leaf": "end", "map": 5})
    assert pg.run(run_id, "output") == {"leaf": "end", "map": [5, 5]}


def test_a_step_starts_once_when_its_last_dependency_completes(pg: Engine):
    pg.flow("site", {"a": step(), "b": step(), "c": step("a", "b")})
    run_id = pg.start("site")
    a, b = pg.claim()
    pg.complete((a, 1))
    assert pg.step(run_id, "c", "status, remaining_deps") == ("created", 1)
    pg.complete((b, 1), (a, 1))
    assert pg.tasks(run_id, "c") == ["queued"]


def test_a_batch_ends_several_dependencies_of_one_step_at_once(pg: Engine):
    pg.flow("site", {"a": step(), "b": step(), "c": step("a", "b"), "d": step("a", "b", "c")})
    ids = [pg.start("site") for _ in range(3)]
    assert pg.complete(*[(task, task.step) for task in pg.claim()]) == []
    for run_id in ids:
        assert pg.steps(run_id) == {"a": "completed", "b": "completed", "c": "started"} | {
            "d": "created"
        }


def test_a_map_gathers_its_outputs_in_order_with_nulls(pg: Engine):
    pg.flow("maps", {"m": mapping(), "b": step("m")})
    run_id = pg.start("maps", [0, 1, 2, 3])
    outputs: list[Any] = [None, [1, [2]], False, NULL]
    tasks = sorted(pg.claim(), key=lambda task: task.index)
    pg.complete(*[(task, outputs[task.index]) for task in (tasks[2], tasks[0])])
    assert pg.step(run_id, "m", "status, remaining_tasks, output") == ("started", 2, None)
    pg.complete(*[(task, outputs[task.index]) for task in (tasks[3], tasks[1])])
    assert pg.step(run_id, "m", "status, remaining_tasks, output") == (
        "completed",
        0,
        [None, [1, [2]], False, None],
    )
    assert pg.step(run_id, "b") == "started"


def test_a_map_over_an_empty_output_is_completed_with_it(pg: Engine):
    pg.flow("maps", {"a": step(), "m": mapping("a"), "n": mapping("m"), "b": step("n")})
    run_id = pg.start("maps")
    pg.complete((pg.claim_one("a"), []))
    assert pg.step(run_id, "n", "status, output, initial_tasks") == ("completed", [], 0)
    assert pg.claim_one("b").input == {"n": []}


def test_outputs_of_thousands_of_elements_are_gathered(pg: Engine):
    pg.flow("maps", {"m": mapping(), "n": mapping("m")})
    run_id = pg.start("maps", list(range(3000)))
    while tasks := pg.claim(1000):
        pg.complete(*[(task, task.input + 1) for task in tasks])
    assert pg.run(run_id, "output") == {"n": list(range(2, 3002))}


def test_a_report_that_comes_again_changes_nothing_and_is_not_refused(pg: Engine):
    pg.flow("site", {"a": step(), "b": step("a")})
    run_id = pg.start("site")
    task = pg.claim_one("a")
    assert pg.complete((task, "first")) == []
    assert pg.complete((task, "second")) == []
    assert pg.complete((task, "third"), (task, "fourth")) == []
    assert pg.step(run_id, "a", "output") == "first"
    assert pg.step(run_id, "b", "remaining_deps") == 0
    assert pg.tasks(run_id, "b") == ["queued"]


def test_a_task_named_twice_in_a_batch_counts_once(pg: Engine):
    pg.flow("maps", {"m": mapping()})
    run_id = pg.start("maps", [1, 2])
    first, second = pg.claim()
    assert pg.complete((first, "a"), (first, "a")) == []
    assert pg.step(run_id, "m", "remaining_tasks") == 1
    pg.complete((second, "b"))
    assert pg.run(run_id, "status") == "completed"


def test_a_report_of_an_attempt_that_was_taken_away_is_refused(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=0)
    run_id = pg.start("site")
    stale = pg.claim_one("a")
    pg.fail(stale)
    assert pg.complete((stale, "old")) == [Refusal("a", 0, 1, "queued")]
    current = pg.claim_one("a")
    assert pg.complete((stale, "old")) == [Refusal("a", 0, 1, "stale_attempt")]
    assert pg.task(current, "status, output") == ("started", None)
    pg.complete((current, "new"))
    assert pg.complete((stale, "old")) == [Refusal("a", 0, 1, "stale_attempt")]
    assert pg.run(run_id, "output") == {"a": "new"}


def test_a_report_without_an_attempt_is_about_the_current_one(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=0)
    run_id = pg.start("site")
    pg.fail(pg.claim_one("a"))
    pg.claim_one("a")
    row = pg.row("select status, output from pgflow.complete_task(%s, 'a', 0, '1')", run_id)
    assert row == ("completed", 1)


def test_a_task_that_nobody_claimed_cannot_be_completed(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    row = pg.row("select status, output from pgflow.complete_task(%s, 'a', 0, '1')", run_id)
    assert row == ("queued", None)


def test_unknown_tasks_are_refused_and_known_ones_of_the_batch_recorded(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start("site")
    task = pg.claim_one("a")
    strangers = [
        replace(task, run_id=uuid4()),
        replace(task, step="ghost"),
        replace(task, index=1),
        replace(task, attempt=2),
    ]
    refused = pg.complete(*[(each, 0) for each in strangers], (task, 1))
    assert sorted(refusal.reason for refusal in refused) == ["stale_attempt"] + ["unknown_task"] * 3
    assert pg.task(task, "status, output") == ("completed", 1)
    assert pg.rows("select * from pgflow.complete_task(%s, 'a', 0, '1')", uuid4()) == []


@pytest.mark.parametrize("output", [None, {}, 1, "text", NULL], ids=["null", "{}", "1", "t", "-"])
def test_an_output_that_a_map_cannot_run_over_fails_the_run_for_good(pg: Engine, output: Any):
    pg.flow(
        "maps",
        {"a": step(when_exhausted="skip"), "m": mapping("a"), "other": step()},
        max_attempts=5,
    )
    run_id = pg.start("maps")
    tasks = {task.step: task for task in pg.claim()}
    assert pg.complete((tasks["a"], output)) == [Refusal("a", 0, 1, "failed")]
    status, failed_step, message = pg.run(run_id, "status, failed_step_slug, error_message")
    assert (status, failed_step) == ("failed", "a")
    assert "needs an array" in message
    assert pg.task(tasks["a"], "status, error_message") == ("failed", message)
    assert pg.task(tasks["other"]) == "cancelled"
    assert pg.value("select error_message from pgflow.task_attempts") == message


def test_an_output_that_breaks_a_map_hurts_no_other_run_of_the_batch(pg: Engine):
    pg.flow("maps", {"a": step(), "m": mapping("a")})
    bad, good = pg.start("maps"), pg.start("maps")
    outputs = {bad: "no array", good: [1]}
    refused = pg.complete(*[(task, outputs[task.run_id]) for task in pg.claim()])
    assert [refusal.reason for refusal in refused] == ["failed"]
    assert (pg.run(bad, "status"), pg.run(good, "status")) == ("failed", "started")
    assert pg.claim_one("m").run_id == good


def test_late_outputs_after_a_skip_or_the_end_change_nothing(pg: Engine):
    pg.flow("maps", {"m": mapping(max_attempts=1, when_exhausted="skip"), "b": step("m")})
    run_id = pg.start("maps", [1, 2])
    first, second = pg.claim()
    pg.fail(first)
    assert pg.complete((second, 1)) == [Refusal("m", second.index, 1, "skipped")]
    pg.complete((pg.claim_one("b"), "end"))
    assert pg.complete((second, 1)) == [Refusal("m", second.index, 1, "skipped")]
    assert pg.run(run_id) == ("completed", 0, {"b": "end"})


@pytest.mark.parametrize(
    "arrays",
    [
        "array[%(run)s::uuid], array['a'], array[0], array['1'::jsonb, '2'], null",
        "array[%(run)s::uuid], array['a', 'a'], array[0], array['1'::jsonb], null",
        "array[%(run)s::uuid], array['a'], '{}', array['1'::jsonb], null",
        "array[%(run)s::uuid], array['a'], array[0], array['1'::jsonb], array[1, 1]",
        "null, array['a'], array[0], array['1'::jsonb], array[1]",
        "array[%(run)s::uuid], null, array[0], array['1'::jsonb], array[1]",
    ],
)
def test_arrays_of_different_lengths_are_refused(pg: Engine, arrays: str):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    task = pg.claim_one("a")
    with pytest.raises(psycopg.errors.Error, match="differ in length") as refused:
        pg.conn.execute(f"select pgflow.complete_tasks({arrays})", {"run": run_id})
    assert refused.value.sqlstate == "PF008"
    assert "lengths=" in str(refused.value.diag.message_detail)
    assert pg.task(task) == "started"
