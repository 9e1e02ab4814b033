"""Retrying, restarting and cancelling a run while others report its tasks."""

from concurrent.futures import Future
from typing import Any
from uuid import UUID

import pytest
from core_sql_support import (
    Engine,
    Refusal,
    Session,
    Task,
    in_turn,
    is_blocked,
    mapping,
    sessions,
    step,
)

from tests.support import until


def restart(session: Engine, run_id: UUID, slug: str) -> list[object]:
    return session.column("select status from pgflow.restart_run(%s, %s)", run_id, slug)


def retry(session: Engine, run_id: UUID) -> list[object]:
    return session.column("select status from pgflow.retry_run(%s)", run_id)


def test_a_restart_waits_for_an_output_on_its_way_and_repeats_it(pg: Engine, db: str):
    pg.flow("site", {"a": step(), "b": step("a")})
    run_id = pg.start("site")
    task = pg.claim_one()
    with sessions(db, 2, pg.flows) as (one, other):
        one.complete((task, "old"))
        assert in_turn(pg.conn, one, other, lambda: restart(other, run_id, "a")) == ["started"]
    assert pg.steps(run_id) == {"a": "started", "b": "created"}
    assert pg.claim_one("a").attempt == 2


def test_an_output_waits_for_a_restart_and_is_refused(pg: Engine, db: str):
    pg.flow("site", {"a": step(), "b": step("a")})
    run_id = pg.start("site")
    task = pg.claim_one()
    with sessions(db, 2, pg.flows) as (one, other):
        restart(one, run_id, "a")
        [refused] = in_turn(pg.conn, one, other, lambda: other.complete((task, "old")))
    assert refused.reason in {"stale_attempt", "queued"}
    assert pg.drain({"a": "new"})[-1].input == {"a": "new"}


@pytest.mark.parametrize("again", ["retry", "restart"])
def test_an_output_beside_a_failed_run_that_goes_on_is_refused(pg: Engine, db: str, again: str):
    pg.flow("site", {"a": step(), "b": step(), "c": step("a", "b")})
    run_id = pg.start("site")
    tasks = {task.step: task for task in pg.claim()}
    pg.fail(tasks["a"], final=True)
    with sessions(db, 2, pg.flows) as (one, other):
        if again == "retry":
            retry(one, run_id)
        else:
            restart(one, run_id, "a")
        [refused] = in_turn(pg.conn, one, other, lambda: other.complete((tasks["b"], "old")))
    assert (refused.step, refused.attempt) == ("b", 1)
    pg.drain({"a": 1, "b": "new"})
    assert pg.step(run_id, "b", "output") == "new"


def test_two_sessions_retry_a_run_once(pg: Engine, db: str):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    pg.fail(pg.claim_one(), final=True)
    with sessions(db, 2, pg.flows) as (one, other):
        assert retry(one, run_id) == ["started"]
        assert in_turn(pg.conn, one, other, lambda: retry(other, run_id)) == ["started"]
    assert pg.claim_one().attempt == 2


def test_a_retry_and_the_failure_of_the_same_run_take_turns(pg: Engine, db: str):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    task = pg.claim_one()
    with sessions(db, 2, pg.flows) as (one, other):
        one.fail(task, final=True)
        assert in_turn(pg.conn, one, other, lambda: retry(other, run_id)) == ["started"]
    assert pg.run(run_id, "status, error_message") == ("started", None)


def test_commands_about_shared_runs_in_any_order_wait_in_no_circle(pg: Engine, db: str):
    pg.flow("site", {"a": step()})
    ids = pg.start_many("site", range(6))
    with sessions(db, 2, pg.flows) as (one, other):
        query = "select * from pgflow.cancel_runs(%s::uuid[])"
        assert set(one.column(query, ids)) == set(ids)
        assert in_turn(pg.conn, one, other, lambda: other.column(query, ids[::-1])) == []


def report(session: Session, task: Task) -> Future[list[Refusal]]:
    return session.later(lambda: session.complete((task, 1)))


def test_cancelling_is_not_kept_waiting_by_reports_that_follow_one_another(pg: Engine, db: str):
    """Each report begins before the one before it ends, so that the run is never without one."""
    elements = 40
    pg.flow("maps", {"m": mapping()})
    run_id = pg.start("maps", list(range(elements)))
    tasks = pg.claim()
    with sessions(db, 3, pg.flows) as (current, following, canceller):
        canceller.conn.autocommit = True
        report(current, tasks[0]).result(30)
        cancelling = canceller.later(
            lambda: canceller.column("select * from pgflow.cancel_runs(array[%s::uuid])", run_id)
        )
        until(lambda: is_blocked(pg.conn, canceller))
        for task in tasks[1:]:
            reported = report(following, task)
            wait_until_held_up(pg, following, reported)
            current.commit()
            reported.result(30)
            if cancelling.done():
                break
            current, following = following, current
        assert cancelling.done(), "every report came before it"
    assert pg.run(run_id, "status") == "cancelled"


def wait_until_held_up(pg: Engine, session: Session, call: Future[Any]) -> None:
    """Wait until a call waits for a lock, gives way to another session, or is done."""
    query = "select wait_event_type = 'Lock' or wait_event = 'PgSleep' from pg_stat_activity"
    pid = session.conn.info.backend_pid
    until(lambda: call.done() or pg.value(f"{query} where pid = %s", pid))
