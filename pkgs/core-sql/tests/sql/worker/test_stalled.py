"""Recovery: tasks of lost workers and of attempts that outlived their timeout."""

from datetime import timedelta

import psycopg
import pytest
from core_sql_support import Engine, Task, mapping, step

from tests.support import until


def sweep(pg: Engine, quantity: int = 1000) -> int:
    return pg.call("requeue_stalled_tasks", quantity)


def began(pg: Engine, task: Task, ago: timedelta) -> None:
    pg.conn.execute(
        "update pgflow.step_tasks set started_at = now() - %s where run_id = %s and step_slug = %s",
        (ago, task.run_id, task.step),
    )


def beat(pg: Engine) -> None:
    pg.call("heartbeat", pg.worker_id)


def test_a_live_worker_keeps_its_tasks(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start("site")
    task = pg.claim_one("a")
    assert sweep(pg) == 0
    assert pg.task(task) == "started"


def test_a_lost_worker_loses_its_tasks_at_the_cost_of_an_attempt(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=1000, max_attempts=2)
    run_id = pg.start("site")
    task = pg.claim_one("a")
    pg.lose_worker()
    assert sweep(pg) == 1
    assert pg.task(task, "status, requeued_count, last_requeued_at is not null") == (
        "queued",
        1,
        True,
    )
    message = pg.value("select error_message from pgflow.task_attempts where run_id = %s", run_id)
    assert message == f"worker {pg.worker_id} was lost"
    beat(pg)
    assert pg.claim_one("a").attempt == 2
    assert [refusal.reason for refusal in pg.complete((task, 1))] == ["stale_attempt"]


def test_an_exhausted_task_of_a_lost_worker_ends_as_any_other(pg: Engine):
    pg.flow("site", {"a": step(), "b": step(when_exhausted="skip"), "c": step("b")}, max_attempts=1)
    failed, skipped = pg.start("site"), pg.start("site")
    for task in pg.claim():
        if (task.run_id, task.step) in [(failed, "b"), (skipped, "a")]:
            pg.complete((task, 1))
    pg.lose_worker()
    assert sweep(pg) == 2
    assert pg.run(failed, "status, failed_step_slug") == ("failed", "a")
    assert pg.step(skipped, "b", "status, skip_reason") == ("skipped", "handler_failed")
    assert pg.step(skipped, "c") == "started"
    assert pg.tasks(failed, "a", "requeued_count") == [1]


def test_a_worker_that_stopped_loses_what_it_still_held(pg: Engine):
    pg.flow("site", {"a": step()}, max_attempts=2)
    pg.start("site")
    task = pg.claim_one("a")
    pg.call("mark_worker_stopped", pg.worker_id)
    assert sweep(pg) == 1
    assert pg.task(task) == "queued"


def test_tasks_of_a_worker_without_a_row_are_taken(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start("site")
    task = pg.claim_one("a")
    pg.conn.execute("delete from pgflow.workers")
    assert sweep(pg) == 1
    assert pg.task(task) == "queued"


def test_a_long_timeout_does_not_keep_the_tasks_of_a_lost_worker_from_others(pg: Engine):
    pg.flow("site", {"a": step(timeout=86400)}, base_delay=1000)
    pg.start("site")
    pg.claim_one("a")
    pg.lose_worker()
    assert sweep(pg) == 1
    beat(pg)
    # At once: the delay between attempts is for handlers that fail.
    assert pg.claim_one("a").attempt == 2


def test_the_lease_is_the_worker_s_own(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.call("register_worker", pg.worker_id, ["site"], lease_seconds=172_800)
    pg.start("site")
    pg.claim_one("a")
    pg.lose_worker()
    assert sweep(pg) == 0


@pytest.mark.parametrize("max_attempts", [1, 2])
def test_a_run_that_somebody_does_not_let_go_of_holds_up_no_other(
    db: str, pg: Engine, max_attempts: int
):
    pg.flow("site", {"a": step()}, max_attempts=max_attempts)
    held, free = pg.start("site"), pg.start("site")
    pg.claim()
    pg.lose_worker()
    ended = "failed" if max_attempts == 1 else "queued"
    with psycopg.connect(db) as forgetful:
        forgetful.execute("select from pgflow.runs where run_id = %s for update", (held,))
        assert sweep(pg) == 1
        assert [pg.tasks(free, "a"), pg.tasks(held, "a")] == [[ended], ["started"]]
    assert sweep(pg) == 1
    assert pg.tasks(held, "a") == [ended]


def test_no_task_that_cannot_be_taken_hides_the_others(db: str, pg: Engine):
    pg.flow("site", {"a": step()})
    held, *_ = pg.start_many("site", range(3))
    pg.claim()
    pg.lose_worker()
    with psycopg.connect(db) as forgetful:
        forgetful.execute("select from pgflow.runs where run_id = %s for update", (held,))
        until(lambda: sweep(pg, 1) == 1)
        until(lambda: sweep(pg, 1) == 1)
        assert pg.tasks(held, "a") == ["started"]


def test_an_attempt_is_taken_thirty_seconds_after_its_timeout(pg: Engine):
    pg.flow("site", {"a": step(timeout=100), "b": step()}, timeout=10, max_attempts=2)
    pg.start("site")
    tasks = {task.step: task for task in pg.claim()}
    began(pg, tasks["a"], timedelta(seconds=120))
    began(pg, tasks["b"], timedelta(seconds=35))
    assert sweep(pg) == 0
    began(pg, tasks["a"], timedelta(seconds=131))
    began(pg, tasks["b"], timedelta(seconds=41))
    assert sweep(pg) == 2
    assert pg.column("select distinct error_message from pgflow.task_attempts") == [
        f"the attempt outlived its timeout on worker {pg.worker_id}"
    ]


def test_queued_and_ended_tasks_are_left_alone(pg: Engine):
    pg.flow("maps", {"m": mapping(), "late": step(start_delay=1000)})
    run_id = pg.start("maps", [1, 2, 3])
    first, second = pg.claim(2)
    pg.complete((first, 1))
    pg.release(second)
    pg.lose_worker()
    assert sweep(pg) == 0
    assert sorted(pg.tasks(run_id, "m")) == ["completed", "queued", "queued"]


def test_a_sweep_takes_a_bounded_number_of_many_runs(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start_many("site", range(10))
    pg.claim()
    pg.lose_worker()
    assert [sweep(pg, 4), sweep(pg, 4), sweep(pg, 4), sweep(pg, 4)] == [4, 4, 2, 0]
    assert pg.value("select count(*) from pgflow.step_tasks where requeued_count = 1") == 10


def test_two_crashes_and_an_error_use_up_three_attempts(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=0, max_attempts=3)
    run_id = pg.start("site")
    for _ in range(2):
        pg.claim_one("a")
        pg.lose_worker()
        sweep(pg)
        beat(pg)
    pg.fail(pg.claim_one("a"))
    assert pg.run(run_id, "status") == "failed"
    assert pg.value("select count(*) from pgflow.task_attempts") == 3
