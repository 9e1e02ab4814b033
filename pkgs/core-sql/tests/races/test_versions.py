"""Making, retiring and starting versions of one flow at the same time."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from core_sql_support import Engine, in_turn, is_blocked, sessions

from tests.support import until

STARTERS = 12


def shape(*slugs: str) -> str:
    return json.dumps({"steps": [{"slug": slug} for slug in slugs]})


def make_version(pg: Engine, text: str) -> str:
    answer: dict[str, Any] = pg.value(
        "select pgflow.ensure_flow_compiled('site', %s, make_version => true)", text
    )
    return answer["status"]


def slug_of(pg: Engine, run_id: object) -> str:
    return pg.value("select flow_slug from pgflow.runs where run_id = %s", run_id)


def test_one_of_many_concurrent_starters_makes_the_version(pg: Engine, db: str):
    make_version(pg, shape("a"))
    gate = threading.Barrier(STARTERS)

    def start(number: int) -> str:
        with psycopg.connect(db, autocommit=True) as conn:
            gate.wait()
            # Those of a rolling deploy, old and new.
            return make_version(Engine(conn), shape("a", "b") if number % 2 else shape("a"))

    with ThreadPoolExecutor(STARTERS) as pool:
        statuses = Counter(pool.map(start, range(STARTERS)))
    assert statuses == {"versioned": 1, "verified": STARTERS - 1}
    assert pg.column("select version from pgflow.flows order by 1") == [1, 2]


def test_a_start_does_not_wait_for_a_version_that_is_being_made(pg: Engine, db: str):
    make_version(pg, shape("a"))
    with sessions(db, 2, ["site"]) as (one, other):
        make_version(one, shape("b"))
        run_id = other.later(lambda: other.start("site")).result(30)
        other.commit()
        one.commit()
    assert slug_of(pg, run_id) == "site"
    assert slug_of(pg, pg.start("site")) == "site@2"


def test_a_version_is_made_while_runs_are_being_started(pg: Engine, db: str):
    make_version(pg, shape("a"))
    with sessions(db, 2, ["site"]) as (one, other):
        run_id = one.start("site")
        assert other.later(lambda: make_version(other, shape("b"))).result(30) == "versioned"
        other.commit()
        one.commit()
    assert pg.steps(run_id) == {"a": "started"}


def test_retiring_waits_for_a_start_of_the_version_and_sees_its_run(pg: Engine, db: str):
    make_version(pg, shape("a"))
    with sessions(db, 2, ["site"]) as (one, other):
        one.start("site")
        make_version(pg, shape("b"))
        with pytest.raises(psycopg.Error) as raised:
            in_turn(pg.conn, one, other, lambda: other.call("retire_flow_version", "site", 1))
    assert raised.value.sqlstate == "PF017"


def test_a_start_waits_for_the_retirement_of_the_flow_and_is_refused(pg: Engine, db: str):
    make_version(pg, shape("a"))
    with sessions(db, 2, ["site"]) as (one, other):
        one.call("retire_flow_version", "site", 1)
        with pytest.raises(psycopg.Error) as raised:
            in_turn(pg.conn, one, other, lambda: other.start("site"))
    assert raised.value.sqlstate == "PF016"


@pytest.mark.parametrize("first", ["retry", "retire"])
def test_a_run_that_goes_on_and_the_retirement_of_its_version_wait_for_each_other(
    pg: Engine, db: str, first: str
):
    make_version(pg, shape("a"))
    run_id = pg.start("site")
    pg.call("cancel_run", run_id)
    make_version(pg, shape("b"))
    with sessions(db, 2, ["site"]) as (one, other):

        def retry(session: Engine) -> None:
            session.rows("select from pgflow.retry_run(%s)", run_id)

        def retire(session: Engine) -> None:
            session.call("retire_flow_version", "site", 1)

        calls = (retry, retire) if first == "retry" else (retire, retry)
        calls[0](one)
        with pytest.raises(psycopg.Error) as raised:
            in_turn(pg.conn, one, other, lambda: calls[1](other))
    assert raised.value.sqlstate == ("PF017" if first == "retry" else "PF016")


def test_a_restart_onto_a_version_and_its_retirement_wait_for_each_other(pg: Engine, db: str):
    make_version(pg, shape("a"))
    run_id = pg.start("site")
    pg.call("cancel_run", run_id)
    make_version(pg, shape("a", "b"))
    make_version(pg, shape("c"))
    with sessions(db, 2, ["site"]) as (one, other):
        one.rows("select from pgflow.restart_run(%s, 'a', 2)", run_id)
        with pytest.raises(psycopg.Error) as raised:
            in_turn(pg.conn, one, other, lambda: other.call("retire_flow_version", "site", 2))
    assert raised.value.sqlstate == "PF017"
    assert slug_of(pg, run_id) == "site@2"


def test_a_flow_is_deleted_with_a_version_that_was_being_made(pg: Engine, db: str):
    make_version(pg, shape("a"))
    with sessions(db, 2, ["site"]) as (one, other):
        make_version(one, shape("b"))
        in_turn(pg.conn, one, other, lambda: other.call("delete_flow_and_data", "site"))
    assert pg.value("select count(*) from pgflow.flows") == 0


def test_a_version_that_is_gone_when_its_retirement_begins_is_not_found(pg: Engine, db: str):
    make_version(pg, shape("a"))
    make_version(pg, shape("b"))
    pg.call("use_flow_version", "site", 1)
    with sessions(db, 2, ["site"]) as (one, other):
        one.call("delete_flow_and_data", "site")
        make_version(one, shape("c"))
        with pytest.raises(psycopg.Error) as raised:
            in_turn(pg.conn, one, other, lambda: other.call("retire_flow_version", "site", 2))
    assert raised.value.sqlstate == "PF001"


def test_a_start_of_the_first_version_holds_the_flow_that_was_made_anew_meanwhile(
    pg: Engine, db: str
):
    make_version(pg, shape("a"))
    with sessions(db, 3, ["site"]) as (one, other, third):
        one.call("delete_flow_and_data", "site")
        make_version(one, shape("c"))
        start = other.later(lambda: other.start("site@1"))
        until(lambda: is_blocked(pg.conn, other))
        one.commit()
        assert slug_of(other, start.result(30)) == "site"
        in_turn(pg.conn, other, third, lambda: third.call("delete_flow_and_data", "site"))
    assert pg.value("select count(*) from pgflow.runs") == 0


def test_the_first_version_is_locked_before_one_whose_options_are_brought_up_to_date(
    pg: Engine, db: str
):
    make_version(pg, shape("a"))
    make_version(pg, shape("b"))
    held = "select from pgflow.flows where flow_slug = %s for update nowait"
    with sessions(db, 2, ["site"]) as (one, other):
        one.rows(held, "site")
        verified = other.later(lambda: make_version(other, shape("b")))
        until(lambda: verified.done() or is_blocked(pg.conn, other))
        one.rows(held, "site@2")
        one.commit()
        assert verified.result(30) == "verified"
        other.commit()


def test_a_run_does_not_go_on_in_a_retired_version_that_it_was_moved_to_meanwhile(
    pg: Engine, db: str
):
    make_version(pg, shape("a"))
    run_id = pg.start("site")
    pg.call("cancel_run", run_id)
    make_version(pg, shape("a", "b"))
    with sessions(db, 2, ["site"]) as (one, other):
        one.rows("select from pgflow.restart_run(%s, 'a', 2)", run_id)
        one.call("use_flow_version", "site", 1)
        one.call("retire_flow_version", "site", 2, True)
        with pytest.raises(psycopg.Error) as raised:
            in_turn(pg.conn, one, other, lambda: other.rows("select pgflow.retry_run(%s)", run_id))
    assert raised.value.sqlstate == "PF016"
    assert pg.run(run_id, "flow_slug, status") == ("site@2", "cancelled")


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
@pytest.mark.parametrize(
    "call",
    [
        "select pgflow.retire_flow_version('site', 1)",
        "select pgflow.retire_flow_version('site', 1, cancel => true)",
        "select pgflow.delete_flow_and_data('site')",
        """select pgflow.ensure_flow_compiled('site', '{"steps": [{"slug": "b"}]}', true)""",
    ],
)
def test_nothing_is_retired_or_deleted_beside_runs_that_are_not_seen(
    pg: Engine, db: str, level: str, call: str
):
    make_version(pg, shape("a"))
    with psycopg.connect(db) as conn:
        conn.execute(f"set transaction isolation level {level}")
        conn.execute("select from pgflow.runs")
        run_id = pg.start("site")
        with pytest.raises(psycopg.Error) as raised:
            conn.execute(call)
    assert raised.value.sqlstate == "PF015"
    assert level.upper() in str(raised.value)
    assert pg.run(run_id, "status") == "started"
    assert pg.value("select count(*) from pgflow.flows where retired_at is null") == 1
