"""Making, retiring and starting versions of one flow at the same time."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from core_sql_support import Engine, in_turn, sessions

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
