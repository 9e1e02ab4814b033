"""Deleting what ended long ago."""

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from .conftest import Engine

EARLIER = """
create function public.earlier(run_id uuid, span interval) returns uuid language sql as $$
  select encode(
    substring(uuid_send(pgflow.run_id_at(started_at - span)) from 1 for 6)
      || substring(uuid_send(run_id) from 7),
    'hex'
  )::uuid
  from (
    select to_timestamp(('x' || substr(replace(run_id::text, '-', ''), 1, 12))::bit(48)::bigint
      / 1000.0)
  ) as made (started_at)
$$
"""


def prune(engine: Engine, retention: str = "1 day", quantity: int | None = 1000) -> int:
    return engine.value("select pgflow.prune_data_older_than(%s, %s)", retention, quantity)


def age(engine: Engine, days: int, *, keep_ids: bool = False) -> None:
    """Let everything there is have happened some days earlier."""
    span = timedelta(days=days)
    engine.conn.execute(
        "update pgflow.runs set started_at = started_at - %(by)s, completed_at = completed_at"
        " - %(by)s, failed_at = failed_at - %(by)s, cancelled_at = cancelled_at - %(by)s",
        {"by": span},
    )
    engine.conn.execute(
        "update pgflow.workers set last_heartbeat_at = last_heartbeat_at - %s", [span]
    )
    if keep_ids:
        return
    engine.conn.execute("drop function if exists public.earlier")
    engine.conn.execute(EARLIER)
    for table in ("runs", "run_keys", "step_states", "step_tasks", "task_attempts"):
        engine.conn.execute(
            f"update pgflow.{table} set run_id = public.earlier(run_id, %s)", [span]
        )


def cancelled(engine: Engine, slug: str, quantity: int, **arguments: object) -> list[UUID]:
    """Start runs and cancel them."""
    ids = [engine.start(slug, **arguments) for _ in range(quantity)]
    engine.rows("select pgflow.cancel_runs(%s)", ids)
    return ids


def runs(engine: Engine) -> int:
    return engine.value("select count(*) from pgflow.runs")


def test_ended_runs_go_with_all_their_rows(engine: Engine, chain: str):
    engine.start(chain, idempotency_key="key")
    engine.finish()
    failed = engine.start(chain)
    engine.fail(engine.claim()[0])
    assert engine.run(failed)["status"] == "failed"
    age(engine, 2)

    assert prune(engine) == 2

    for table in ("runs", "run_keys", "step_states", "step_tasks", "task_attempts"):
        assert engine.value(f"select count(*) from pgflow.{table}") == 0, table
    assert engine.value("select count(*) from pgflow.flows") == 1


def test_recent_runs_and_runs_under_way_stay(engine: Engine, chain: str):
    engine.start(chain)
    age(engine, 100)
    recent = engine.start(chain)
    for task in engine.claim():
        if task.run_id == recent:
            engine.complete(task)
    engine.rows("select * from pgflow.cancel_run(%s)", recent)

    assert prune(engine) == 0

    statuses = engine.rows("select status from pgflow.runs order by run_id")
    assert statuses == [("started",), ("cancelled",)]


def test_the_end_counts_and_not_the_start(engine: Engine, chain: str):
    engine.start(chain)
    age(engine, 100)
    engine.value("select pgflow.cancel_flow_runs(%s)", chain)

    assert prune(engine) == 0
    assert prune(engine, "0") == 1


def test_a_call_deletes_a_bounded_number_and_the_oldest_first(engine: Engine, chain: str):
    cancelled(engine, chain, 15)
    age(engine, 2)
    cancelled(engine, chain, 10)
    age(engine, 2)

    assert prune(engine, quantity=15) == 15
    bound = "pgflow.run_id_at(now() - interval '3 days')"
    assert engine.rows(f"select run_id from pgflow.runs where run_id < {bound}") == []
    assert [prune(engine, quantity=6) for _ in range(3)] == [6, 4, 0]


def test_a_call_deletes_a_bounded_number_of_tasks(engine: Engine, chain: str):
    cancelled(engine, chain, 4)
    engine.conn.execute(
        "update pgflow.step_states set initial_tasks = 40000 where step_slug = 'first'"
    )

    assert [prune(engine, "0"), prune(engine, "0"), prune(engine, "0")] == [3, 1, 0]


def test_a_run_of_more_tasks_than_that_goes_alone(engine: Engine, chain: str):
    cancelled(engine, chain, 2)
    engine.conn.execute("update pgflow.step_states set initial_tasks = 1000000")

    assert [prune(engine, "0"), prune(engine, "0"), prune(engine, "0")] == [1, 1, 0]


def test_runs_whose_ids_were_given_go_too(engine: Engine, chain: str):
    high = UUID("ffffffff-ffff-4fff-bfff-ffffffffffff")
    low = UUID("00000000-0000-4000-8000-000000000000")
    for run_id in (high, low, uuid4()):
        cancelled(engine, chain, 1, run_id=run_id)
    cancelled(engine, chain, 1)
    assert prune(engine) == 0
    age(engine, 2, keep_ids=True)

    # The last one's id says that it is young.
    assert [prune(engine, quantity=2), prune(engine, quantity=2)] == [2, 1]
    assert runs(engine) == 1


def test_runs_that_somebody_holds_are_passed_over(engine: Engine, chain: str, db: str):
    held, _ = cancelled(engine, chain, 2)

    with psycopg.connect(db) as conn:
        conn.execute("select from pgflow.runs where run_id = %s for update", (held,))
        assert prune(engine, "0") == 1

    assert engine.rows("select run_id from pgflow.runs") == [(held,)]


def test_keys_that_expired_long_ago_go_and_others_stay(engine: Engine, chain: str):
    for number, left in enumerate(["-3 days", "-2 days", "-1 hour", "1 day", None]):
        engine.start(chain, idempotency_key=f"key {number}")
        engine.conn.execute(
            "update pgflow.run_keys set expires_at = coalesce(now() + %s::interval, 'infinity')"
            " where idempotency_key = %s",
            (left, f"key {number}"),
        )

    prune(engine, quantity=1)
    assert engine.value("select min(idempotency_key) from pgflow.run_keys") == "key 1"
    prune(engine)
    assert engine.value("select min(idempotency_key) from pgflow.run_keys") == "key 2"
    assert runs(engine) == 5


def test_a_living_worker_stays_whatever_the_age(engine: Engine, chain: str):
    engine.conn.execute("select pgflow.register_worker(gen_random_uuid(), '{chain}')")
    before = engine.value("select count(*) from pgflow.workers")
    engine.value("select pgflow.prune_data_older_than('0')")
    assert engine.value("select count(*) from pgflow.workers") == before


def test_workers_that_died_long_ago_go_unless_they_hold_a_task(engine: Engine, chain: str):
    engine.start(chain)
    engine.claim()
    for _ in range(3):
        engine.conn.execute("select pgflow.register_worker(gen_random_uuid(), '{chain}')")
    age(engine, 2)
    engine.conn.execute("select pgflow.register_worker(gen_random_uuid(), '{chain}')")

    prune(engine, quantity=2)
    assert engine.value("select count(*) from pgflow.workers") == 3
    prune(engine)
    assert engine.value("select count(*) from pgflow.workers") == 2
    assert (
        engine.value("select count(*) from pgflow.workers where worker_id = %s", engine.worker_id)
        == 1
    )


@pytest.mark.parametrize("retention", ["0", "1000 years", "100000 years"])
def test_nothing_to_prune_is_no_error(engine: Engine, retention: str):
    assert prune(engine, retention) == 0
    assert prune(engine, retention, None) == 0


@pytest.mark.parametrize(("retention", "quantity"), [(None, 1), ("-1 day", 1), ("1 day", 0)])
def test_a_call_that_makes_no_sense_is_refused(
    engine: Engine, retention: str | None, quantity: int
):
    with pytest.raises(psycopg.Error) as raised:
        engine.value("select pgflow.prune_data_older_than(%s::interval, %s)", retention, quantity)
    assert raised.value.sqlstate == "PF015"
