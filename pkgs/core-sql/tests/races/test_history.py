"""Pruning beside all that may still happen to an ended run: it waits for nobody."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from core_sql_support import Engine, Refusal, Session, in_turn, sessions, step


@pytest.fixture
def ended(pg: Engine) -> UUID:
    """A cancelled run that holds an idempotency key and a started task's attempt."""
    pg.flow("site", {"a": step(), "b": step("a")})
    run_id = pg.start("site", idempotency_key="key")
    pg.claim()
    pg.rows("select * from pgflow.cancel_runs(array[%s::uuid])", run_id)
    return run_id


def prune(session: Engine) -> int:
    return session.call("prune_data_older_than", "0")


def prune_now(session: Session) -> int:
    """Prune, which has to come back while others hold what they hold."""
    return session.later(lambda: prune(session)).result(30)


def call(function: str, *arguments: Any) -> Callable[[Session, UUID], list[Any]]:
    places = ", ".join(["%s"] * (len(arguments) + 1))
    return lambda session, run_id: session.rows(
        f"select (pgflow.{function}({places})).status", run_id, *arguments
    )


COMMANDS = {
    "retry": call("retry_run"),
    "restart": call("restart_run", "a"),
    "cancel": call("cancel_run"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_that_somebody_is_at_is_passed_over(pg: Engine, db: str, ended: UUID, command: str):
    with sessions(db, 2, pg.flows) as (one, other):
        COMMANDS[command](one, ended)
        assert prune_now(other) == 0
        one.commit()
        other.commit()
    assert pg.run(ended, "status") == ("cancelled" if command == "cancel" else "started")
    assert prune(pg) == (1 if command == "cancel" else 0)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_waits_for_the_run_that_is_pruned_and_finds_none(
    pg: Engine, db: str, ended: UUID, command: str
):
    with sessions(db, 2, pg.flows) as (one, other):
        assert prune(one) == 1
        with pytest.raises(psycopg.Error) as raised:
            in_turn(pg.conn, one, other, lambda: COMMANDS[command](other, ended))
    assert raised.value.sqlstate == "PF002"


def test_a_late_report_waits_for_the_run_that_is_pruned_and_is_refused(
    pg: Engine, db: str, ended: UUID
):
    # Its attempt was under way when the run was cancelled.
    report = ([ended], ["a"], [0], ["1"], [1])
    query = "select refused from pgflow.complete_tasks(%s::uuid[], %s, %s, %s::jsonb[], %s)"
    with sessions(db, 2, pg.flows) as (one, other):
        prune(one)
        assert in_turn(pg.conn, one, other, lambda: other.column(query, *report)) == [
            "unknown_task"
        ]


def test_a_late_report_does_not_keep_its_run_from_being_passed_over(
    pg: Engine, db: str, ended: UUID
):
    query = "select refused from pgflow.complete_tasks(%s::uuid[], '{a}', '{0}', '{1}', '{1}')"
    with sessions(db, 2, pg.flows) as (one, other):
        assert one.column(query, [ended]) == ["cancelled"]
        assert prune_now(other) == 0
        one.commit()
        other.commit()
    assert prune(pg) == 1


def test_a_start_waits_for_its_key_that_is_pruned_and_starts_another_run(
    pg: Engine, db: str, ended: UUID
):
    with sessions(db, 2, pg.flows) as (one, other):
        prune(one)
        new = in_turn(pg.conn, one, other, lambda: other.start("site", idempotency_key="key"))
    assert new != ended
    assert pg.run(new, "status") == "started"


def test_a_run_whose_key_a_start_holds_is_passed_over(pg: Engine, db: str, ended: UUID):
    with sessions(db, 2, pg.flows) as (one, other):
        assert one.start("site", idempotency_key="key") == ended
        # Whoever starts may go on to the run: pruning must not hold it and wait for the key.
        assert prune_now(other) == 0
        other.commit()
        assert COMMANDS["retry"](one, ended) == [("started",)]
        one.commit()
    assert pg.run(ended, "status") == "started"


def test_two_sessions_prune_different_runs(pg: Engine, db: str):
    pg.flow("site", {"a": step()})
    ids = pg.start_many("site", range(6))
    pg.rows("select * from pgflow.cancel_runs(%s::uuid[])", ids)
    with sessions(db, 2, pg.flows) as (one, other):
        assert one.call("prune_data_older_than", "0", 4) == 4
        assert prune_now(other) == 2
        one.commit()
        other.commit()
    assert pg.value("select count(*) from pgflow.runs") == 0


def test_a_watch_that_is_prolonged_is_passed_over(pg: Engine, db: str, ended: UUID):
    with sessions(db, 2, pg.flows) as (one, other):
        one.call("watch_runs", one.worker_id, [ended])
        one.commit()
        one.call("watch_runs", one.worker_id, [ended])
        assert prune_now(other) == 1
        one.commit()
        other.commit()
    # What is left of it expires by itself.
    assert pg.value("select count(*) from pgflow.run_watchers") == 1
    assert pg.complete() == []


def test_a_pruned_run_leaves_nothing_that_a_report_could_find(pg: Engine, ended: UUID):
    prune(pg)
    query = "select * from pgflow.complete_tasks(array[%s::uuid], '{a}', '{0}', '{1}', '{1}')"
    [row] = pg.rows(query, ended)
    assert Refusal(row[2], row[4], row[6], row[7]) == Refusal("a", 0, 1, "unknown_task")
