"""Claims beside claims, recovery and cancelling: nobody waits for a claim but who ends tasks."""

from collections.abc import Callable

import pytest
from core_sql_support import Engine, Refusal, Session, in_turn, mapping, sessions, step


def sweep(session: Engine) -> int:
    return session.call("requeue_stalled_tasks")


def cancel(session: Engine, run_id: object) -> list[object]:
    return session.column("select * from pgflow.cancel_runs(%s::uuid[])", [run_id])


def claim_now(session: Session) -> list[int]:
    """Claim, which has to come back while others hold what they hold."""
    tasks = session.later(session.claim).result(30)
    return sorted(task.index for task in tasks)


def test_two_claimers_share_the_queue_and_wait_for_nobody(pg: Engine, db: str):
    pg.flow("maps", {"m": mapping()})
    pg.start("maps", list(range(10)))
    with sessions(db, 3, pg.flows) as (one, other, third):
        assert sorted(task.index for task in one.claim(4)) == [0, 1, 2, 3]
        assert claim_now(other) == [4, 5, 6, 7, 8, 9]
        assert claim_now(third) == []
        one.rollback()
        other.commit()
    assert sorted(task.index for task in pg.claim()) == [0, 1, 2, 3]


def test_a_claim_passes_over_what_a_cancel_is_about_to_end(pg: Engine, db: str):
    pg.flow("maps", {"m": mapping()})
    doomed = pg.start("maps", [1])
    pg.start("maps", [1, 2])
    with sessions(db, 2, pg.flows) as (one, other):
        assert cancel(one, doomed) == [doomed]
        assert claim_now(other) == [0, 1]
        one.commit()
        other.commit()
    assert pg.tasks(doomed, "m") == ["cancelled"]


def test_a_cancel_waits_for_a_claim_on_its_way_and_ends_its_task(pg: Engine, db: str):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    with sessions(db, 2, pg.flows) as (one, other):
        task = one.claim_one()
        assert in_turn(pg.conn, one, other, lambda: cancel(other, run_id)) == [run_id]
    assert pg.task(task, "status, attempts_count") == ("cancelled", 1)
    assert pg.complete((task, 1)) == [Refusal("a", 0, 1, "cancelled")]


@pytest.mark.parametrize("call", ["cancel", "complete"])
def test_two_sessions_that_cancel_or_complete_one_run_end_it_once(pg: Engine, db: str, call: str):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    task = pg.claim_one()
    with sessions(db, 2, pg.flows) as (one, other):
        if call == "complete":
            one.complete((task, 1))
        else:
            cancel(one, run_id)
        assert in_turn(pg.conn, one, other, lambda: cancel(other, run_id)) == []
    assert pg.run(run_id, "status") == ("completed" if call == "complete" else "cancelled")


def test_what_recovery_is_about_to_queue_is_claimed_only_then(pg: Engine, db: str):
    pg.flow("site", {"a": step()})
    pg.start("site")
    pg.claim()
    pg.lose_worker()
    with sessions(db, 2, pg.flows) as (one, other):
        assert sweep(one) == 1
        assert claim_now(other) == []
        one.commit()
        other.commit()
        assert other.claim_one().attempt == 2
        other.commit()


def test_recovery_leaves_alone_what_is_reported_at_that_moment(pg: Engine, db: str):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    task = pg.claim_one()
    pg.lose_worker()
    with sessions(db, 2, pg.flows) as (one, other):
        one.complete((task, "in time"))
        assert in_turn(pg.conn, one, other, lambda: sweep(other)) == 0
    assert pg.run(run_id, "status, output") == ("completed", {"a": "in time"})


def test_a_report_that_recovery_overtakes_is_refused(pg: Engine, db: str):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    task = pg.claim_one()
    pg.lose_worker()
    with sessions(db, 2, pg.flows) as (one, other):
        sweep(one)
        refused = in_turn(pg.conn, one, other, lambda: other.complete((task, 1)))
    assert refused == [Refusal("a", 0, 1, "queued")]
    assert pg.run(run_id, "status") == "started"


def test_of_two_sessions_that_look_for_stalled_tasks_one_takes_them(pg: Engine, db: str):
    pg.flow("site", {"a": step()})
    pg.start("site")
    pg.claim()
    pg.lose_worker()
    with sessions(db, 2, pg.flows) as (one, other):
        assert sweep(one) == 1
        assert other.later(lambda: sweep(other)).result(30) == 0
        one.commit()
        other.commit()


def test_a_task_that_is_handed_back_is_claimed_only_then(pg: Engine, db: str):
    pg.flow("site", {"a": step()})
    pg.start("site")
    task = pg.claim_one()
    with sessions(db, 2, pg.flows) as (one, other):
        assert one.release(task) == 1
        assert claim_now(other) == []
        one.commit()
        other.commit()
    assert pg.complete((task, 1)) == [Refusal("a", 0, 1, "queued")]
    assert pg.claim_one().attempt == 2


@pytest.mark.parametrize("call", ["complete", "report_and_claim", "fail", "release"])
def test_a_report_that_waits_while_its_task_is_claimed_anew_does_nothing(
    pg: Engine, db: str, call: str
):
    """What the lock is waited for to see is a started task again, but of another attempt."""
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    task = pg.claim_one()
    with sessions(db, 2, pg.flows) as (one, other):
        one.release(task)
        again = one.claim_one()
        calls: dict[str, Callable[[], object]] = {
            "complete": lambda: other.complete((task, "late")),
            "report_and_claim": lambda: other.report_and_claim([(task, "late")])[1],
            "fail": lambda: other.fail(task),
            "release": lambda: other.release(task),
        }
        answer = in_turn(pg.conn, one, other, calls[call])
    assert answer == (0 if call == "release" else [Refusal("a", 0, 1, "stale_attempt")])
    assert pg.task(again, "status, attempts_count") == ("started", 2)
    assert pg.run(run_id, "status") == "started"


def test_recovery_passes_over_marks_that_their_worker_is_taking_back(pg: Engine, db: str):
    for slug in ("site", "other"):
        pg.flow(slug, {"a": step()})
    pg.start("site")
    with sessions(db, 2, pg.flows) as (one, other):
        one.call("wait_for_tasks", one.worker_id, one.flows)
        one.lose_worker()
        one.commit()
        one.call("mark_worker_stopped", one.worker_id)
        # Would wait, and could wait in a circle, for the marks.
        other.later(lambda: sweep(other)).result(30)
        one.commit()
        other.commit()
    assert pg.value("select count(*) from pgflow.waiting_workers") == 0
