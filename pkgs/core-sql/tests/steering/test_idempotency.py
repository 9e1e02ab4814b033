"""Starting a run at most once for a key."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest

from .conftest import Engine

START = "select run_id from pgflow.start_flow(%s, '{}', idempotency_key => %s)"


def test_the_same_key_returns_the_run_that_it_started(engine: Engine, chain: str):
    first = engine.value(START, chain, "order 7")
    again = engine.value(START, chain, "order 7")
    other = engine.value(START, chain, "order 8")

    assert again == first
    assert other != first
    assert engine.value("select count(*) from pgflow.runs") == 2


def test_keys_belong_to_their_flow(engine: Engine, chain: str):
    other = engine.flow("other", {"only": {}})
    assert engine.value(START, chain, "key") != engine.value(START, other, "key")


def test_a_race_of_fifty_sessions_starts_one_run(engine: Engine, chain: str, db: str):
    gate = threading.Barrier(50)

    def start() -> UUID:
        with psycopg.connect(db, autocommit=True) as conn:
            gate.wait()
            row = conn.execute(START, (chain, "the one")).fetchone()
            assert row is not None
            return row[0]

    with ThreadPoolExecutor(50) as pool:
        started = {future.result() for future in [pool.submit(start) for _ in range(50)]}

    assert len(started) == 1
    assert engine.value("select count(*) from pgflow.runs") == 1
    assert [task.step for task in engine.claim()] == ["first"]


def test_two_sessions_with_the_same_keys_in_another_order_start_each_run_once(
    engine: Engine, chain: str, db: str
):
    keys = [f"key {number}" for number in range(200)]
    query = """
        select array_agg(run_id)
        from pgflow.start_flows(%s, array_fill('{}'::jsonb, array[200]), idempotency_keys => %s)
          as started (run_id)
    """
    gate = threading.Barrier(4)

    def start(keys: list[str]) -> dict[str, UUID]:
        with psycopg.connect(db, autocommit=True) as conn:
            gate.wait()
            row = conn.execute(query, (chain, keys)).fetchone()
            assert row is not None
            return dict(zip(keys, row[0], strict=True))

    with ThreadPoolExecutor(4) as pool:
        orders = [keys, keys[::-1], keys[100:] + keys[:100], keys]
        first, *others = [call.result() for call in [pool.submit(start, each) for each in orders]]

    assert others == [first] * 3
    assert engine.value("select count(*) from pgflow.runs") == 200


def test_a_start_that_is_rolled_back_leaves_the_key_free(engine: Engine, chain: str, db: str):
    with psycopg.connect(db) as conn:
        conn.execute(START, (chain, "key"))
        conn.rollback()

    run_id = engine.value(START, chain, "key")

    assert engine.value("select count(*) from pgflow.runs") == 1
    assert engine.run(run_id)["status"] == "started"


def test_a_key_that_has_expired_starts_another_run(engine: Engine, chain: str):
    brief = START.replace("=> %s)", "=> %s, key_lifetime => '1 microsecond')")
    assert engine.value(brief, chain, "key") != engine.value(brief, chain, "key")


def test_a_key_stands_for_its_run_until_its_lifetime_is_over(engine: Engine, chain: str):
    day = START.replace("=> %s)", "=> %s, key_lifetime => '1 day')")
    first = engine.value(day, chain, "key")
    # The lifetime is that of the start which took the key, not of one that finds it.
    assert engine.value(START, chain, "key") == first
    assert engine.value(day, chain, "key") == first
    left = engine.value("select extract(epoch from expires_at - now()) from pgflow.run_keys")
    assert 86_000 < left <= 86_400

    engine.conn.execute("update pgflow.run_keys set expires_at = expires_at - interval '1 day'")

    second = engine.value(START, chain, "key")
    assert second != first
    assert engine.rows("select run_id, expires_at = 'infinity' from pgflow.run_keys") == [
        (second, True)
    ]
    assert engine.run(first)["status"] == "started"


@pytest.mark.parametrize("lifetime", ["0", "-1 second", "101 years"])
def test_a_key_needs_a_lifetime_that_lasts(engine: Engine, chain: str, lifetime: str):
    with pytest.raises(psycopg.Error) as raised:
        engine.start(chain, idempotency_key="key", key_lifetime=lifetime)
    assert raised.value.sqlstate == "PF013"
    assert engine.value("select count(*) from pgflow.runs") == 0
    assert engine.value("select count(*) from pgflow.run_keys") == 0


def test_a_key_goes_with_its_run(engine: Engine, chain: str):
    first = engine.value(START, chain, "key")
    engine.finish()
    assert engine.value("select pgflow.prune_data_older_than('0')") == 1

    assert engine.value(START, chain, "key") != first


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_key_that_went_since_the_snapshot_of_its_transaction_cannot_be_taken_in_it(
    engine: Engine, chain: str, db: str, level: str
):
    engine.value(START, chain, "key")
    engine.finish()
    with psycopg.connect(db) as conn:
        conn.execute(f"set transaction isolation level {level}")
        conn.execute("select from pgflow.run_keys")
        assert engine.value("select pgflow.prune_data_older_than('0')") == 1
        with pytest.raises(psycopg.errors.SerializationFailure):
            conn.execute(START, (chain, "key"))
        conn.rollback()
        assert conn.execute(START, (chain, "key")).fetchone() is not None


@pytest.mark.parametrize("key", ["", "x" * 501])
def test_a_key_of_no_sensible_length_is_refused(engine: Engine, chain: str, key: str):
    with pytest.raises(psycopg.Error) as raised:
        engine.value(START, chain, key)
    assert raised.value.sqlstate == "PF012"
    assert engine.value("select count(*) from pgflow.runs") == 0


def test_a_key_of_a_run_holds_where_its_flow_or_version_is_retired(engine: Engine, chain: str):
    run_id = engine.value(START, chain, "key")
    engine.value("select pgflow.retire_flow_version(%s, 1, cancel => true)", chain)
    both = "select pgflow.start_flows(%s, array['1', '2']::jsonb[], idempotency_keys => %s)"
    for slug in (chain, f"{chain}@1"):
        assert engine.value(START, slug, "key") == run_id
        assert engine.rows(both, slug, ["key", "key"]) == [(run_id,), (run_id,)]
        for keys in (["key", "another"], ["key", None]):
            with pytest.raises(psycopg.Error) as raised:
                engine.rows(both, slug, keys)
            assert raised.value.sqlstate == "PF016"
    assert engine.value("select count(*) from pgflow.run_keys") == 1
    assert engine.value("select count(*) from pgflow.runs") == 1
