"""Transactions of handlers: whose they are, how long they may be idle, and who ends them."""

import threading

import psycopg
import pytest
from core_sql_support import Engine, step


@pytest.fixture
def site(pg: Engine) -> Engine:
    pg.flow("site", {"a": step(), "b": step("a")}, base_delay=0)
    return pg


def enter(
    conn: psycopg.Connection, attempt: int, run_id: object, *, waits: bool = False
) -> list[int] | None:
    row = conn.execute(
        "select pgflow.enter_attempt(%s, 'a', 0, %s, 77, %s)", (run_id, attempt, waits)
    ).fetchone()
    assert row is not None
    others: list[int] | None = row[0]
    return others


def test_only_the_current_attempt_may_enter(site: Engine, db: str):
    run_id = site.start("site")
    with psycopg.connect(db) as conn:
        assert enter(conn, 0, run_id) is None
        site.claim_one("a")
        assert enter(conn, 1, run_id) == []
        assert enter(conn, 2, run_id) is None


def test_what_is_set_holds_for_the_transaction_alone(site: Engine, db: str):
    run_id = site.start("site")
    site.claim_one("a")
    asked = "select current_setting('idle_in_transaction_session_timeout')"
    with psycopg.connect(db) as conn:
        before = conn.execute(asked).fetchone()
        enter(conn, 1, run_id)
        assert conn.execute(asked).fetchone() == ("77s",)
        conn.commit()
        assert conn.execute(asked).fetchone() == before


def test_a_later_attempt_is_told_of_the_session_of_an_earlier_one(site: Engine, db: str):
    run_id = site.start("site")
    first = site.claim_one("a")
    entered: list[object] = []
    with psycopg.connect(db) as lost, psycopg.connect(db) as other:
        assert enter(lost, 1, run_id) == []
        site.fail(first)
        site.claim_one("a")
        assert enter(other, 2, run_id) == [lost.info.backend_pid]
        other.rollback()
        waiting = threading.Thread(
            target=lambda: entered.append(enter(other, 2, run_id, waits=True))
        )
        waiting.start()
        lost.rollback()
        waiting.join(20)
        assert entered == [[]]


def test_the_transaction_of_another_task_is_left_alone(site: Engine, db: str):
    runs = [site.start("site") for _ in range(2)]
    site.claim()
    with psycopg.connect(db) as first, psycopg.connect(db) as second:
        assert enter(first, 1, runs[0]) == []
        assert enter(second, 1, runs[1]) == []


def test_entering_locks_neither_the_run_nor_the_task(site: Engine, db: str):
    run_id = site.start("site")
    task = site.claim_one("a")
    site.conn.execute("set lock_timeout = 1000")
    with psycopg.connect(db) as conn:
        enter(conn, 1, run_id)
        assert site.complete((task, 1)) == []
