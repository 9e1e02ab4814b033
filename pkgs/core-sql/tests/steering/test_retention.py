"""Deleting by policy: how long each flow's runs are kept, and who deletes them."""

from typing import Any

import psycopg
import pytest

from .conftest import Engine
from .test_prune import age, cancelled


@pytest.fixture
def other(engine: Engine) -> str:
    """The slug of another flow."""
    return engine.flow("other", {"only": {}})


def left(engine: Engine) -> dict[str, int]:
    return dict(engine.rows("select flow_slug, count(*) from pgflow.runs group by flow_slug"))


def keep(engine: Engine, retention: str | None, slug: str | None = None) -> None:
    engine.conn.execute("select pgflow.set_retention(%s, %s)", (retention, slug))


def prune(engine: Engine, quantity: int = 1000) -> int:
    return engine.value("select pgflow.prune_by_policy(%s)", quantity)


def sweep(engine: Engine) -> int:
    return engine.value("select pgflow.requeue_stalled_tasks()")


def test_each_flow_is_kept_by_its_own_policy_and_others_by_the_common_one(
    engine: Engine, chain: str, other: str
):
    third = engine.flow("third", {"only": {}})
    for slug in (chain, other, third):
        cancelled(engine, slug, 2)
    age(engine, 10)
    assert prune(engine) == 0

    keep(engine, "3 days", chain)
    assert prune(engine) == 2
    assert left(engine) == {other: 2, third: 2}

    keep(engine, "100 days", other)
    keep(engine, "3 days")
    assert prune(engine) == 2
    assert left(engine) == {other: 2}

    keep(engine, None, other)
    assert prune(engine) == 2


def test_runs_under_way_and_recent_ones_are_kept(engine: Engine, chain: str):
    engine.start(chain)
    age(engine, 100)
    cancelled(engine, chain, 1)
    keep(engine, "1 day")
    assert prune(engine) == 0
    keep(engine, "0")
    assert prune(engine) == 1
    assert left(engine) == {chain: 1}


def test_a_call_deletes_a_bounded_number(engine: Engine, chain: str, other: str):
    cancelled(engine, chain, 7)
    cancelled(engine, other, 7)
    keep(engine, "0")
    counts = [prune(engine, 4) for _ in range(5)]
    assert counts == [4, 4, 4, 2, 0]


def test_runs_whose_ids_were_given_go_too(engine: Engine, chain: str):
    cancelled(engine, chain, 1, run_id="ffffffff-ffff-4fff-bfff-ffffffffffff")
    keep(engine, "1 day", chain)
    assert prune(engine) == 0
    age(engine, 2, keep_ids=True)
    assert prune(engine) == 1


def test_what_somebody_holds_is_passed_over(engine: Engine, chain: str, db: str):
    held, _ = cancelled(engine, chain, 2)
    keep(engine, "0")
    with psycopg.connect(db) as conn:
        conn.execute("select from pgflow.runs where run_id = %s for update", (held,))
        assert prune(engine) == 1
    assert left(engine) == {chain: 1}


def test_workers_and_keys_go_after_the_longest_of_the_policies(engine: Engine, chain: str):
    engine.start(chain, idempotency_key="key")
    engine.conn.execute("update pgflow.run_keys set expires_at = now() - interval '2 days'")
    age(engine, 2, keep_ids=True)
    keep(engine, "1 day", chain)
    keep(engine, "3 days")
    prune(engine)
    things = "select (select count(*) from pgflow.workers), (select count(*) from pgflow.run_keys)"
    assert engine.rows(things) == [(1, 1)]
    keep(engine, "1 day")
    prune(engine)
    assert engine.rows(things) == [(0, 0)]


def test_a_sweep_prunes_only_where_that_was_set_up(engine: Engine, chain: str):
    cancelled(engine, chain, 2)
    keep(engine, "0")
    sweep(engine)
    assert left(engine) == {chain: 2}
    assert "workers" in engine.value("select pgflow.setup_maintenance()")
    sweep(engine)
    assert left(engine) == {}


def test_a_sweep_goes_on_while_there_is_more_and_then_rests(engine: Engine, chain: str):
    engine.value("select pgflow.setup_maintenance()")
    keep(engine, "0")
    is_due = "select due_at <= now() from pgflow.maintenance"
    cancelled(engine, chain, 1)
    sweep(engine)
    assert engine.value(is_due) is True
    sweep(engine)
    assert engine.value(is_due) is False
    cancelled(engine, chain, 1)
    sweep(engine)
    assert left(engine) == {chain: 1}


def test_a_worker_without_rights_of_its_owner_prunes_in_its_sweep(engine: Engine, chain: str):
    engine.value("select pgflow.setup_maintenance()")
    cancelled(engine, chain, 1)
    keep(engine, "0")
    engine.conn.execute("set role pgflow_worker")
    sweep(engine)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        keep(engine, "1 day")
    engine.conn.execute("reset role")
    assert left(engine) == {}


def test_bad_policies_are_refused(engine: Engine, chain: str):
    def sqlstate(query: str, *values: Any) -> str | None:
        with pytest.raises(psycopg.Error) as raised:
            engine.rows(query, *values)
        return raised.value.sqlstate

    assert sqlstate("select pgflow.set_retention('-1 day')") == "PF015"
    assert sqlstate("select pgflow.set_retention('1 day', 'nothing')") == "PF001"
    assert sqlstate("select pgflow.prune_by_policy(0)") == "PF015"
    assert sqlstate("select pgflow.setup_maintenance(done_by => 'me')") == "PF015"
    assert sqlstate("select pgflow.setup_maintenance(done_by => 'pg_cron')") == "PF014"
    keep(engine, "1000000 years", chain)
    assert prune(engine) == 0


def test_years_of_runs_are_pruned_month_by_month(engine: Engine, chain: str, other: str):
    keep(engine, "90 days", chain)
    keep(engine, "1 year", other)
    most = 0
    for _ in range(36):
        cancelled(engine, chain, 3)
        cancelled(engine, other, 1)
        age(engine, 30)
        while prune(engine):
            pass
        most = max(most, sum(left(engine).values()))
    assert left(engine) == {chain: 6, other: 12}
    assert most == 18
    assert engine.value("select max(started_at) < now() from pgflow.runs") is True
