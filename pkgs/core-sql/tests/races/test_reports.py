"""Reports that come at the same time: siblings, duplicates, and outputs beside failures."""

from collections.abc import Callable

import pytest
from core_sql_support import Engine, Refusal, Session, Task, in_turn, mapping, sessions, step

Report = Callable[[Session, Task], object]


def complete(session: Session, task: Task) -> list[Refusal]:
    return session.complete((task, task.step))


def exchange(session: Session, task: Task) -> list[Refusal]:
    return session.report_and_claim([(task, task.step)])[1]


def fail(session: Session, task: Task) -> list[Refusal]:
    return session.fail(task, final=True)


def by_step(tasks: list[Task]) -> dict[str, Task]:
    return {task.step: task for task in tasks}


def by_index(tasks: list[Task]) -> list[Task]:
    return sorted(tasks, key=lambda task: task.index)


@pytest.mark.parametrize("report", [complete, exchange])
def test_the_last_two_siblings_start_their_child_once(pg: Engine, db: str, report: Report):
    pg.flow("site", {"a": step(), "b": step(), "c": step("a", "b")})
    run_id = pg.start("site")
    tasks = by_step(pg.claim())
    with sessions(db, 2, pg.flows) as (one, other):
        assert report(one, tasks["a"]) == []
        assert in_turn(pg.conn, one, other, lambda: report(other, tasks["b"])) == []
    assert pg.step(run_id, "c", "status, remaining_deps") == ("started", 0)
    assert pg.claim_one("c").input == {"a": "a", "b": "b"}


def test_the_last_two_siblings_skip_and_complete_their_child_once(pg: Engine, db: str):
    pg.flow(
        "site",
        {
            "a": step(when_exhausted="skip"),
            "b": step(),
            "c": step("a", "b", required_input_pattern={"a": "a"}),
            "d": mapping("c"),
        },
    )
    run_id = pg.start("site")
    tasks = by_step(pg.claim())
    with sessions(db, 2, pg.flows) as (one, other):
        complete(one, tasks["b"])
        assert in_turn(pg.conn, one, other, lambda: fail(other, tasks["a"])) == []
    assert pg.steps(run_id) == {"a": "skipped", "b": "completed", "c": "skipped", "d": "completed"}
    assert pg.run(run_id, "status, output") == ("completed", {"d": []})


def test_the_last_two_leaves_complete_their_run_once(pg: Engine, db: str):
    pg.flow("site", {"a": step(), "b": step()})
    run_id = pg.start("site")
    tasks = by_step(pg.claim())
    with sessions(db, 2, pg.flows) as (one, other):
        complete(one, tasks["a"])
        in_turn(pg.conn, one, other, lambda: complete(other, tasks["b"]))
    assert pg.run(run_id) == ("completed", 0, {"a": "a", "b": "b"})


@pytest.mark.parametrize("report", [complete, exchange])
def test_the_last_two_elements_of_a_map_are_both_in_its_output(pg: Engine, db: str, report: Report):
    pg.flow("maps", {"m": mapping(), "n": mapping("m"), "b": step("m")})
    run_id = pg.start("maps", [1, 2])
    first, second = by_index(pg.claim())
    with sessions(db, 2, pg.flows) as (one, other):
        report(one, second)
        in_turn(pg.conn, one, other, lambda: report(other, first))
    assert pg.step(run_id, "m", "status, output") == ("completed", ["m", "m"])
    assert sorted(task.step for task in pg.claim()) == ["b", "n", "n"]


def test_siblings_of_shared_runs_are_reported_in_any_order_of_the_runs(pg: Engine, db: str):
    pg.flow("site", {"a": step(), "b": step(), "c": step("a", "b")})
    ids = pg.start_many("site", range(5))
    tasks = pg.claim()
    forward = [task for task in tasks if task.step == "a"]
    backward = [task for task in reversed(tasks) if task.step == "b"]
    with sessions(db, 2, pg.flows) as (one, other):
        one.complete(*[(task, 1) for task in forward])
        in_turn(pg.conn, one, other, lambda: other.complete(*[(task, 1) for task in backward]))
    assert [pg.step(run_id, "c") for run_id in ids] == ["started"] * 5


@pytest.mark.parametrize("report", [complete, exchange, fail])
@pytest.mark.parametrize("value", [[1], [1, 2]], ids=["last element", "one of two"])
def test_a_report_that_is_made_twice_at_once_counts_once(
    pg: Engine, db: str, report: Report, value: list[int]
):
    pg.flow("maps", {"m": mapping(max_attempts=1, when_exhausted="skip"), "b": step("m")})
    run_id = pg.start("maps", value)
    task = by_index(pg.claim())[0]
    with sessions(db, 2, pg.flows) as (one, other):
        assert report(one, task) == []
        assert in_turn(pg.conn, one, other, lambda: report(other, task)) == []
    ended = report is fail or len(value) == 1
    assert pg.step(run_id, "b", "remaining_deps") == (0 if ended else 1)


@pytest.mark.parametrize(
    ("first", "second", "status"), [(complete, fail, "completed"), (fail, complete, "failed")]
)
def test_of_an_output_and_a_failure_of_one_attempt_the_first_counts(
    pg: Engine, db: str, first: Report, second: Report, status: str
):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    task = pg.claim_one()
    with sessions(db, 2, pg.flows) as (one, other):
        assert first(one, task) == []
        refused = in_turn(pg.conn, one, other, lambda: second(other, task))
    assert refused == [Refusal("a", 0, 1, status)]
    assert pg.run(run_id, "status") == status


def test_a_retry_and_an_output_of_one_attempt_cannot_both_count(pg: Engine, db: str):
    pg.flow("site", {"a": step()}, base_delay=0)
    pg.start("site")
    task = pg.claim_one()
    with sessions(db, 2, pg.flows) as (one, other):
        one.fail(task)
        refused = in_turn(pg.conn, one, other, lambda: complete(other, task))
    assert refused == [Refusal("a", 0, 1, "queued")]
    assert pg.claim_one().attempt == 2


def test_the_failure_of_an_element_waits_for_outputs_on_their_way(pg: Engine, db: str):
    pg.flow("maps", {"m": mapping()})
    run_id = pg.start("maps", [1, 2, 3])
    tasks = by_index(pg.claim())
    with sessions(db, 2, pg.flows) as (one, other):
        complete(one, tasks[0])
        in_turn(pg.conn, one, other, lambda: fail(other, tasks[1]))
        late = complete(one, tasks[2])
        one.commit()
    assert pg.tasks(run_id, "m") == ["completed", "failed", "cancelled"]
    assert late == [Refusal("m", 2, 1, "cancelled")]


def test_outputs_wait_for_the_failure_of_an_element_and_are_refused(pg: Engine, db: str):
    pg.flow("maps", {"m": mapping()})
    run_id = pg.start("maps", [1, 2])
    tasks = by_index(pg.claim())
    with sessions(db, 2, pg.flows) as (one, other):
        fail(one, tasks[1])
        refused = in_turn(pg.conn, one, other, lambda: complete(other, tasks[0]))
    assert refused == [Refusal("m", 0, 1, "cancelled")]
    assert pg.tasks(run_id, "m") == ["cancelled", "failed"]


def test_of_two_last_failures_the_first_fails_the_run(pg: Engine, db: str):
    pg.flow("site", {"a": step(), "b": step()})
    run_id = pg.start("site")
    tasks = by_step(pg.claim())
    with sessions(db, 2, pg.flows) as (one, other):
        fail(one, tasks["b"])
        refused = in_turn(pg.conn, one, other, lambda: fail(other, tasks["a"]))
    assert refused == [Refusal("a", 0, 1, "cancelled")]
    assert pg.run(run_id, "failed_step_slug") == "b"


def test_an_output_that_breaks_a_map_waits_for_outputs_beside_it(pg: Engine, db: str):
    pg.flow("site", {"a": step(), "m": mapping("a"), "b": step(), "c": step("b")})
    run_id = pg.start("site")
    tasks = by_step(pg.claim())
    with sessions(db, 2, pg.flows) as (one, other):
        complete(one, tasks["b"])
        in_turn(pg.conn, one, other, lambda: other.complete((tasks["a"], "no array")))
    assert pg.steps(run_id) == {"a": "failed", "m": "cancelled", "b": "completed", "c": "cancelled"}


def test_reports_of_different_elements_do_not_lock_the_run_against_each_other(pg: Engine, db: str):
    pg.flow("maps", {"m": mapping(), "n": mapping()})
    pg.start("maps", [1, 2])
    tasks = {(task.step, task.index): task for task in pg.claim()}
    with sessions(db, 2, pg.flows) as (one, other):
        complete(one, tasks["m", 0])
        # Another counter, so nothing that has to wait.
        other.later(lambda: complete(other, tasks["n", 0])).result(30)
        one.commit()
        other.commit()
