"""Handing claims back: what a worker cannot do, and what it holds without knowing it."""

import psycopg
import pytest
from core_sql_support import Engine, Task, mapping, step


def release_unknown(pg: Engine, *known: Task) -> int:
    return pg.value(
        "select pgflow.release_unknown_tasks(%s, %s::uuid[], %s::text[], %s::int[], %s::int[])",
        pg.worker_id,
        [task.run_id for task in known],
        [task.step for task in known],
        [task.index for task in known],
        [task.attempt for task in known],
    )


def test_a_released_task_is_the_next_to_be_claimed(pg: Engine):
    pg.flow("site", {"a": step()})
    first = pg.start("site")
    pg.start("site")
    [task] = pg.claim(1)
    assert pg.release(task) == 1
    assert pg.task(task, "status, released_count, started_at") == ("queued", 1, None)
    [again] = pg.claim(1)
    assert (again.run_id, again.attempt) == (first, 2)


def test_only_what_the_attempt_still_holds_is_released(pg: Engine):
    pg.flow("maps", {"m": mapping()}, base_delay=0)
    pg.start("maps", [1, 2, 3])
    done, failed, held = pg.claim()
    pg.complete((done, 1))
    pg.fail(failed)
    pg.claim()
    assert pg.release(done, failed, held, held) == 1
    assert pg.release(held) == 0
    assert pg.task(failed, "status, released_count") == ("started", 0)


def test_a_report_of_a_released_attempt_is_refused(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start("site")
    task = pg.claim_one("a")
    pg.release(task)
    assert [refusal.reason for refusal in pg.complete((task, 1))] == ["queued"]
    assert [refusal.reason for refusal in pg.fail(task)] == ["queued"]


def test_tasks_of_an_ended_run_are_not_released(pg: Engine):
    pg.flow("site", {"a": step(), "b": step()})
    pg.start("site")
    first, second = pg.claim()
    pg.fail(first, final=True)
    assert pg.release(second) == 0
    assert pg.task(second) == "cancelled"


def test_arrays_of_different_lengths_are_refused(pg: Engine):
    with pytest.raises(psycopg.errors.Error, match="differ in length") as refused:
        pg.conn.execute("select pgflow.release_tasks('{}', '{a}', '{0}', '{1}')")
    assert refused.value.sqlstate == "PF008"


def test_what_a_worker_does_not_know_it_holds_goes_back(pg: Engine):
    pg.flow("maps", {"m": mapping()}, base_delay=0)
    run_id = pg.start("maps", [1, 2, 3, 4])
    known, done, lost, again = sorted(pg.claim(), key=lambda task: task.index)
    pg.complete((done, 1))
    pg.fail(again)
    pg.claim()
    assert release_unknown(pg, known, done, again) == 2
    assert pg.tasks(run_id, "m", "status, released_count") == [
        ("started", 0),
        ("completed", 0),
        ("queued", 1),
        ("queued", 1),
    ]
    assert lost.attempt == 1
    assert release_unknown(pg, known) == 0


def test_what_other_workers_hold_stays_with_them(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start("site")
    task = pg.claim_one("a")
    other = Engine(pg.conn)
    other.serve("site")
    assert release_unknown(other) == 0
    assert pg.task(task) == "started"
