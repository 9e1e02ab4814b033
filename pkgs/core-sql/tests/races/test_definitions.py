"""Compiling, starting and deleting one flow at the same time."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from core_sql_support import Engine, Refusal, Session, in_turn, sessions, step

STARTERS = 12


def shape(*slugs: str) -> str:
    return json.dumps({"steps": [{"slug": slug} for slug in slugs]})


def compile_flow(session: Engine, text: str, *, allow: bool = False) -> str:
    answer: dict[str, Any] = session.call("ensure_flow_compiled", "site", text, allow)
    return answer["status"]


def compile_at_once(db: str, texts: list[str], *, allow: bool = False) -> Counter[str]:
    gate = threading.Barrier(len(texts))

    def start(text: str) -> str:
        with psycopg.connect(db, autocommit=True) as conn:
            gate.wait()
            return compile_flow(Engine(conn), text, allow=allow)

    with ThreadPoolExecutor(len(texts)) as pool:
        return Counter(pool.map(start, texts))


def test_one_of_many_concurrent_starters_compiles_and_the_others_verify(pg: Engine, db: str):
    statuses = compile_at_once(db, [shape("a", "b")] * STARTERS)
    assert statuses == {"compiled": 1, "verified": STARTERS - 1}
    assert pg.column("select step_slug from pgflow.steps order by step_index") == ["a", "b"]


def test_of_two_shapes_that_start_at_once_one_is_refused(pg: Engine, db: str):
    half = STARTERS // 2
    statuses = compile_at_once(db, [shape("a"), shape("b")] * half)
    assert statuses == {"compiled": 1, "verified": half - 1, "mismatch": half}
    assert len(pg.column("select step_slug from pgflow.steps")) == 1


def test_a_changed_shape_is_made_anew_once(pg: Engine, db: str):
    compile_flow(pg, shape("old"))
    statuses = compile_at_once(db, [shape("new")] * STARTERS, allow=True)
    assert statuses == {"recompiled": 1, "verified": STARTERS - 1}
    assert pg.column("select step_slug from pgflow.steps") == ["new"]


def test_a_starter_waits_for_another_that_compiles(pg: Engine, db: str):
    with sessions(db, 2, ["site"]) as (one, other):
        assert compile_flow(one, shape("a")) == "compiled"
        assert in_turn(pg.conn, one, other, lambda: compile_flow(other, shape("a"))) == "verified"


def test_options_can_be_brought_up_to_date_while_runs_are_started(pg: Engine, db: str):
    compile_flow(pg, shape("a"))
    with sessions(db, 2, ["site"]) as (one, other):
        run_id = one.start("site")
        options = '{"options": {"maxAttempts": 7}, "steps": [{"slug": "a"}]}'
        assert other.later(lambda: compile_flow(other, options)).result(30) == "verified"
        one.commit()
        other.commit()
    assert pg.run(run_id, "status") == "started"
    assert pg.value("select opt_max_attempts from pgflow.flows") == 7


def test_a_start_waits_for_a_flow_that_is_made_anew_and_starts_that(pg: Engine, db: str):
    compile_flow(pg, shape("old"))
    with sessions(db, 2, ["site"]) as (one, other):
        compile_flow(one, shape("new"), allow=True)
        run_id = in_turn(pg.conn, one, other, lambda: other.start("site"))
    assert pg.steps(run_id) == {"new": "started"}


def test_a_flow_that_is_made_anew_takes_a_run_with_it_that_was_being_started(pg: Engine, db: str):
    compile_flow(pg, shape("old"))
    with sessions(db, 2, ["site"]) as (one, other):
        one.start("site")
        status = in_turn(pg.conn, one, other, lambda: compile_flow(other, shape("new"), allow=True))
    assert status == "recompiled"
    assert pg.value("select count(*) from pgflow.runs") == 0


def test_a_start_waits_for_a_flow_that_is_deleted_and_finds_none(pg: Engine, db: str):
    compile_flow(pg, shape("a"))
    with sessions(db, 2, ["site"]) as (one, other):
        one.call("delete_flow_and_data", "site")
        with pytest.raises(psycopg.Error) as raised:
            in_turn(pg.conn, one, other, lambda: other.start("site", idempotency_key="key"))
    assert raised.value.sqlstate == "PF001"


@pytest.mark.parametrize("first", ["report", "delete"])
def test_reports_and_the_deletion_of_their_flow_wait_for_each_other(
    pg: Engine, db: str, first: str
):
    pg.flow("site", {"a": step(), "b": step("a")})
    ids = pg.start_many("site", range(4))
    tasks = pg.claim()
    assert {task.run_id for task in tasks} == set(ids)

    def report(session: Session) -> list[Refusal]:
        return session.complete(*[(task, 1) for task in reversed(tasks)])

    with sessions(db, 2, pg.flows) as (one, other):
        if first == "report":
            assert report(one) == []
            in_turn(pg.conn, one, other, lambda: other.call("delete_flow_and_data", "site"))
        else:
            one.call("delete_flow_and_data", "site")
            refused = in_turn(pg.conn, one, other, lambda: report(other))
            assert {refusal.reason for refusal in refused} == {"unknown_task"}
    assert pg.value("select count(*) from pgflow.step_tasks") == 0


def test_a_flow_that_is_deleted_meanwhile_is_compiled_anew(pg: Engine, db: str):
    compile_flow(pg, shape("a"))
    pg.call("ensure_flow_compiled", "site", shape("b"), False, True)
    with sessions(db, 2, ["site"]) as (one, other):
        one.call("delete_flow_and_data", "site")
        status = in_turn(pg.conn, one, other, lambda: compile_flow(other, shape("b")))
    assert status == "compiled"
    assert pg.column("select flow_slug from pgflow.flows") == ["site"]
