"""What a retry or a restart overwrites is kept, and every change shows in a run's version."""

import json
from typing import Any
from uuid import UUID, uuid4

import psycopg

from .conftest import Engine


def reopenings(engine: Engine, run_id: UUID, after: int = 0) -> list[tuple[Any, ...]]:
    return engine.rows(
        "select reopening, step_slugs, progress from pgflow.get_run_reopenings(%s, %s)",
        run_id,
        after,
    )


def version(engine: Engine, run_id: UUID) -> str:
    answer = engine.value("select pgflow.get_run_versions(%s)", [run_id])
    return answer["versions"][str(run_id)]


def test_a_retry_keeps_what_the_run_had_come_to(engine: Engine, chain: str):
    run_id = engine.start(chain)
    engine.complete(engine.claim()[0])
    engine.fail(engine.claim()[0], "too hot")
    before = engine.value("select pgflow.get_run_progress(%s)", run_id)
    engine.value("select status from pgflow.retry_run(%s)", run_id)

    [(number, slugs, kept)] = reopenings(engine, run_id)
    assert (number, slugs) == (1, ["second", "third"])
    assert kept.pop("read_at") > before.pop("read_at")
    assert kept == before
    assert before["status"] == "failed"
    assert [step["status"] for step in before["steps"]] == ["completed", "failed", "cancelled"]
    assert engine.value("select pgflow.get_run_progress(%s)", run_id)["reopened_count"] == 1


def test_each_reopening_is_kept_and_the_known_ones_can_be_left_out(engine: Engine, chain: str):
    run_id = engine.start(chain)
    for _ in range(3):
        engine.finish()
        engine.value("select status from pgflow.restart_run(%s, 'third')", run_id)

    assert [past[0] for past in reopenings(engine, run_id)] == [1, 2, 3]
    assert [past[0] for past in reopenings(engine, run_id, 2)] == [3]
    assert reopenings(engine, uuid4()) == []


def test_a_retry_of_a_run_that_is_under_way_reopens_nothing(engine: Engine, chain: str):
    run_id = engine.start(chain)
    engine.value("select status from pgflow.retry_run(%s)", run_id)
    assert reopenings(engine, run_id) == []


def test_reopenings_go_with_their_run(engine: Engine, chain: str):
    run_id = engine.start(chain)
    engine.finish()
    engine.value("select status from pgflow.restart_run(%s, 'first')", run_id)
    engine.value("select pgflow.delete_flow_and_data(%s)", chain)
    assert engine.value("select count(*) from pgflow.run_reopenings") == 0


def test_whoever_watches_a_run_is_told_that_it_was_deleted(engine: Engine, chain: str, db: str):
    run_id = engine.start(chain)
    engine.value("select pgflow.watch_runs(%s, %s)", uuid4(), [run_id])
    with psycopg.connect(db, autocommit=True) as watcher:
        watcher.execute("listen pgflow_runs")
        engine.value("select pgflow.delete_flow_and_data(%s)", chain)
        assert [note.payload for note in watcher.notifies(timeout=5, stop_after=1)] == [str(run_id)]


def test_every_change_of_a_run_gives_it_another_version(engine: Engine):
    slug = engine.flow(
        "wide",
        {
            "each": {"step_type": "map"},
            "flaky": {"when_exhausted": "skip", "max_attempts": 2, "base_delay": 0},
            "last": {"deps_slugs": ["each", "flaky"]},
        },
    )
    run_id = engine.start(slug, [1, 2])
    seen = [version(engine, run_id)]

    def changed() -> None:
        seen.append(version(engine, run_id))
        assert len(set(seen)) == len(seen), json.dumps(seen)

    first, second, flaky = sorted(engine.claim(), key=lambda task: (task.step, task.index))
    assert version(engine, run_id) == seen[-1], "a claim is no change that anybody is told of"
    engine.complete(first)
    changed()
    engine.fail(flaky, is_final=False)
    changed()
    [flaky] = engine.claim()
    engine.fail(flaky)
    changed()
    engine.complete(second)
    changed()
    engine.finish()
    changed()
    engine.value("select status from pgflow.restart_run(%s, 'last')", run_id)
    changed()
    engine.value("select status from pgflow.cancel_run(%s)", run_id)
    changed()


def test_the_attempt_that_failed_a_run_is_told_and_no_earlier_one(engine: Engine, chain: str):
    def failure(run_id: UUID) -> list[tuple[Any, ...]]:
        return engine.rows(
            "select step_slug, attempt, error_message from pgflow.get_run_failure(%s)", run_id
        )

    run_id = engine.start(chain)
    engine.fail(engine.claim()[0], "one", is_final=False)
    assert failure(run_id) == []
    engine.conn.execute("update pgflow.step_tasks set available_at = now(), order_at = now()")
    engine.fail(engine.claim()[0], "two")
    assert failure(run_id) == [("first", 2, "two")]
    engine.value("select status from pgflow.retry_run(%s)", run_id)
    assert failure(run_id) == []
    engine.value("select status from pgflow.cancel_run(%s)", run_id)
    assert failure(run_id) == failure(uuid4()) == []


def test_versions_are_read_by_key_however_many_runs_there_are(engine: Engine, chain: str):
    run_ids = [engine.start(chain) for _ in range(3)]
    answer = engine.value("select pgflow.get_run_versions(%s)", [*run_ids, uuid4()])
    assert set(answer["versions"]) == {str(run_id) for run_id in run_ids}
    with engine.conn.transaction(force_rollback=True):
        before = _scans(engine)
        engine.value("select pgflow.get_run_versions(%s)", run_ids)
        assert _scans(engine) == before


def test_a_horizon_is_reached_when_transactions_have_ended_that_were_under_way(
    engine: Engine, chain: str, db: str
):
    def oldest() -> int:
        return engine.value("select pgflow.get_run_versions('{}') -> 'oldest_xid'")

    with psycopg.connect(db) as other, psycopg.connect(db) as later:
        other.execute("create table held (id int)")
        answer = engine.value("select pgflow.get_run_versions('{}', is_first => true)")
        later.execute("create table held_later (id int)")
        assert answer["oldest_xid"] <= oldest() < answer["horizon"]
        engine.start(chain)
        assert oldest() < answer["horizon"]
        other.commit()
        assert oldest() >= answer["horizon"]
    assert engine.value("select pgflow.get_run_versions('{}') -> 'horizon'") is None


def _scans(engine: Engine) -> int:
    return engine.value(
        "select sum(seq_scan)::int from pg_stat_xact_user_tables where schemaname = 'pgflow'"
    )
