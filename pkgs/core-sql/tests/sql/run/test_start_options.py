"""What a start may say of its runs beside their input: tags, a delay, a trace, and keys."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from core_sql_support import Engine, mapping, step
from psycopg.types.json import Jsonb

HOUR = timedelta(hours=1)


def test_tags_and_trace_context_stay_with_the_run(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site", tags=Jsonb({"tenant": 7}), trace_context=Jsonb({"traceparent": "x"}))
    assert pg.run(run_id, "tags, trace_context") == ({"tenant": 7}, {"traceparent": "x"})


def test_a_run_has_no_tags_no_delay_and_no_trace_unless_it_is_given_them(pg: Engine):
    pg.flow("site", {"a": step()})
    [first] = pg.start_many("site", [1])
    columns = "tags, delayed_until, trace_context"
    assert pg.run(first, columns) == pg.run(pg.start("site"), columns) == ({}, None, None)


def test_tags_are_of_all_the_runs_that_are_started_together(pg: Engine):
    pg.flow("site", {"a": step()})
    ids = pg.start_many("site", [1, 2], tags=Jsonb({"batch": "x"}))
    assert [pg.run(run_id, "tags") for run_id in ids] == [{"batch": "x"}] * 2


def test_runs_are_found_by_their_tags_without_reading_those_that_have_none(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start_many("site", range(20))
    tagged = pg.start("site", tags=Jsonb({"tenant": 7, "kind": {"a": [1, 2]}}))
    assert pg.value("select pg_relation_size('pgflow.runs_tags_idx')") > 0
    with pg.conn.transaction(force_rollback=True):
        pg.conn.execute("set local enable_seqscan to off")
        query = "select run_id from pgflow.runs where tags <> '{}' and tags @> %s"
        assert pg.column(query, Jsonb({"kind": {"a": [2]}})) == [tagged]
        plan = "\n".join(pg.column(f"explain {query}", Jsonb({"tenant": 7})))
    assert "runs_tags_idx" in plan


@pytest.mark.parametrize(
    "options",
    [
        {"tags": Jsonb(["red"])},
        {"tags": Jsonb(None)},
        {"trace_context": Jsonb("x")},
        {"delay": timedelta(days=40_000)},
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(pg: Engine, options: dict[str, Any]):
    pg.flow("site", {"a": step()})
    with pytest.raises(psycopg.Error) as refused:
        pg.start("site", **options)
    assert refused.value.sqlstate == "PF013"
    assert refused.value.diag.message_detail == "flow_slug=site"
    assert pg.value("select count(*) from pgflow.runs") == 0


def test_a_delayed_run_is_there_at_once_and_its_tasks_are_claimable_later(pg: Engine):
    pg.flow("site", {"a": step(), "m": mapping(), "b": step("a", "m")})
    run_id = pg.start("site", [1, 2], delay=HOUR)
    assert pg.steps(run_id) == {"a": "started", "m": "started", "b": "created"}
    assert pg.claim() == []
    waits = "available_at > now() + interval '59 minutes'"
    assert pg.tasks(run_id, "a", waits) == [True]
    assert pg.tasks(run_id, "m", waits) == [True, True]
    pg.come_due()
    assert len(pg.claim()) == 3


def test_a_start_delay_of_a_step_begins_when_the_delay_of_the_run_is_over(pg: Engine):
    pg.flow("site", {"a": step(start_delay=1800)})
    run_id = pg.start("site", delay=HOUR)
    in_between = "available_at between now() + interval '89 min' and now() + interval '90 min'"
    assert pg.tasks(run_id, "a", in_between) == [True]


def test_a_delay_holds_whatever_the_start_decides_at_once(pg: Engine):
    pg.flow(
        "site",
        {
            "never": step(required_input_pattern=Jsonb({"no": 1})),
            "asked": step(required_input_pattern=Jsonb({"yes": 1})),
            "after": step("never"),
        },
    )
    run_id = pg.start("site", {"yes": 1}, delay=HOUR)
    assert pg.steps(run_id) == {"never": "skipped", "asked": "started", "after": "started"}
    assert pg.claim() == []


def test_a_delay_goes_on_when_a_cancelled_run_is_retried(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site", delay=HOUR)
    pg.conn.execute("select pgflow.cancel_run(%s)", (run_id,))
    pg.conn.execute("select pgflow.retry_run(%s)", (run_id,))
    assert pg.tasks(run_id, "a") == ["queued"]
    assert pg.claim() == []
    pg.come_due()
    pg.claim_one("a")


def test_steps_that_start_after_the_delay_are_not_delayed(pg: Engine):
    pg.flow("site", {"a": step(), "b": step("a")})
    run_id = pg.start("site", delay=timedelta(milliseconds=1))
    pg.come_due()
    pg.conn.execute("update pgflow.runs set delayed_until = now() - interval '1 ms'")
    pg.complete((pg.claim_one("a"), 1))
    assert pg.tasks(run_id, "b", "available_at >= queued_at") == [True]
    pg.claim_one("b")


def test_a_worker_that_sleeps_is_told_when_a_delayed_run_comes_due(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.conn.execute("listen pgflow_tasks")
    assert pg.call("wait_for_tasks", pg.worker_id, ["site"]) is None
    pg.start("site", delay=HOUR)
    assert [note.payload for note in pg.conn.notifies(timeout=5, stop_after=1)] == ["site"]
    assert 3500 < pg.call("wait_for_tasks", pg.worker_id, ["site"]) < 3601


@pytest.mark.parametrize("delay", [timedelta(0), -HOUR])
def test_no_delay_and_less_than_none_are_the_same(pg: Engine, delay: timedelta):
    pg.flow("site", {"a": step()})
    assert pg.run(pg.start("site", delay=delay), "delayed_until") is None
    pg.claim_one("a")


def test_each_run_of_many_may_have_its_own_key(pg: Engine):
    pg.flow("site", {"a": step()})
    first = pg.start_many("site", [1, 2], idempotency_keys=["x", "y"])
    again = pg.start_many("site", [1, 3, 2], idempotency_keys=["x", "z", "y"])
    assert [again[0], again[2]] == first
    assert pg.run(again[1], "input") == 3
    assert pg.value("select count(*) from pgflow.runs") == 3
    assert len(pg.claim()) == 3


def test_a_key_that_occurs_twice_in_a_call_starts_one_run_with_the_first_input(pg: Engine):
    pg.flow("site", {"a": step()})
    ids = pg.start_many("site", [1, 2, 3], idempotency_keys=["x", None, "x"])
    assert ids[0] == ids[2] != ids[1]
    assert pg.run(ids[0], "input") == 1
    assert pg.value("select count(*) from pgflow.run_keys") == 1


def test_runs_without_a_key_are_started_each_time(pg: Engine):
    pg.flow("site", {"a": step()})
    ids = pg.start_many("site", [1, 2], idempotency_keys=[None, "x"])
    again = pg.start_many("site", [1, 2], idempotency_keys=[None, "x"])
    assert again[0] != ids[0]
    assert again[1] == ids[1]


def test_many_keys_may_expire(pg: Engine):
    pg.flow("site", {"a": step()})
    brief = timedelta(microseconds=1)
    ids = pg.start_many("site", [1], idempotency_keys=["x"], key_lifetime=brief)
    again = pg.start_many("site", [1], idempotency_keys=["x"], key_lifetime=HOUR)
    assert again != ids
    assert pg.start_many("site", [1], idempotency_keys=["x"]) == again


def test_a_start_with_a_key_and_an_id_can_be_repeated(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = uuid4()
    assert pg.start("site", run_id=run_id, idempotency_key="x") == run_id
    assert pg.start("site", run_id=run_id, idempotency_key="x") == run_id
    with pytest.raises(psycopg.Error) as refused:
        pg.start("site", run_id=run_id, idempotency_key="y")
    assert refused.value.sqlstate == "PF009"
    assert pg.column("select idempotency_key from pgflow.run_keys") == ["x"]


@pytest.mark.parametrize(
    ("keys", "sqlstate"), [(["x"], "PF008"), (["x", ""], "PF012"), (["x" * 501, "y"], "PF012")]
)
def test_keys_that_do_not_fit_are_refused(pg: Engine, keys: list[str], sqlstate: str):
    pg.flow("site", {"a": step()})
    with pytest.raises(psycopg.Error) as refused:
        pg.start_many("site", [1, 2], idempotency_keys=keys)
    assert refused.value.sqlstate == sqlstate
    assert pg.value("select count(*) from pgflow.runs") == 0


def test_a_start_with_states_takes_the_same_options(pg: Engine):
    pg.flow("site", {"a": step()})
    started = pg.call(
        "start_flow_with_states",
        "site",
        Jsonb({}),
        tags={"tenant": 7},
        delay=HOUR,
        trace_context={"traceparent": "x"},
    )
    assert started["run"]["tags"] == {"tenant": 7}
    assert started["run"]["delayed_until"] is not None
    assert started["run"]["trace_context"] == {"traceparent": "x"}
