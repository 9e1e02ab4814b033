"""What workers ask to tell of themselves: retries, traces and the depth of queues."""

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from core_sql_support import Engine, mapping, step
from core_sql_support.versions import two_versions
from psycopg.types.json import Jsonb

HEADERS = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}


def retries(pg: Engine, *keys: tuple[object, str, int, int]) -> list[tuple[object, ...]]:
    columns = [list(column) for column in zip(*keys, strict=True)]
    return pg.rows(
        "select step_slug, task_index, attempt, retry_in"
        " from pgflow.find_retries(%s::uuid[], %s, %s, %s) order by 1, 2, 3",
        *columns,
    )


def test_a_retry_has_a_time_and_the_last_failure_none(pg: Engine):
    pg.flow("site", {"fetch": step()}, max_attempts=2, base_delay=0)
    pg.start("site")
    first = pg.claim_one()
    pg.fail(first, delay=100)
    [(slug, index, attempt, retry_in)] = retries(pg, (first.run_id, "fetch", 0, 1))
    assert (slug, index, attempt) == ("fetch", 0, 1)
    assert 0 < retry_in <= 100
    pg.come_due()
    pg.fail(pg.claim_one())
    both = retries(pg, (first.run_id, "fetch", 0, 1), (first.run_id, "fetch", 0, 2))
    assert both[1] == ("fetch", 0, 2, None)


def test_attempts_that_did_not_fail_have_no_row(pg: Engine):
    pg.flow("site", {"fetch": step()})
    pg.start("site")
    task = pg.claim_one()
    assert retries(pg, (task.run_id, "fetch", 0, 1), (uuid4(), "fetch", 0, 1)) == []


def test_arrays_of_different_lengths_are_refused(pg: Engine):
    with pytest.raises(psycopg.errors.Error) as refused:
        pg.rows("select pgflow.find_retries(array[]::uuid[], array['a'], array[]::int[], '{1}')")
    assert refused.value.sqlstate == "PF008"


def test_traces_are_those_of_runs_that_have_one(pg: Engine):
    pg.flow("site", {"fetch": step()})
    traced = pg.start("site", trace_context=Jsonb(HEADERS))
    untraced = pg.start("site")
    rows = pg.rows(
        "select run_id, trace_context from pgflow.get_trace_contexts(%s)",
        [traced, untraced, uuid4()],
    )
    assert rows == [(traced, HEADERS)]


def test_the_depth_of_a_queue_counts_what_is_not_done(pg: Engine):
    pg.flow("site", {"fetch": mapping()})
    pg.flow("idle", {"fetch": step()})
    pg.start("site", [1, 2, 3, 4])
    claimed = pg.claim(2)
    pg.fail(claimed[0], delay=100)
    rows = pg.rows(
        "select flow_slug, ready_tasks, delayed_tasks, started_tasks, oldest_ready is null"
        " from pgflow.get_queue_depth(%s) order by 1",
        ["site", "idle", "unknown"],
    )
    assert rows == [("idle", 0, 0, 0, True), ("site", 2, 1, 1, False)]


def test_the_depth_of_queues_is_of_all_versions_or_of_those_that_are_named(pg: Engine):
    two_versions(pg)
    question = "select flow_slug from pgflow.get_queue_depth(%s) order by 1"
    for slugs, found in [
        (["site"], ["site", "site@2"]),
        (["site@1"], ["site"]),
        (["site@2"], ["site@2"]),
        (["site", "site@2"], ["site", "site@2"]),
        (["site@3", None], []),
    ]:
        assert pg.column(question, slugs) == found


def backlog(pg: Engine, *arguments: object) -> int:
    return pg.call("get_backlog", *arguments)


def test_the_backlog_is_what_workers_have_to_do_now(pg: Engine):
    pg.flow("site", {"fetch": mapping()})
    pg.flow("other", {"fetch": step()})
    pg.flow("idle", {"fetch": step()})
    assert backlog(pg) == 0
    pg.start("site", [1, 2, 3, 4])
    pg.start("other")
    pg.start("other", delay=timedelta(hours=1))
    held, *_ = pg.claim(2, ["site"])
    # Two are ready, two are held, and of the other flow's two one waits for its time.
    assert [backlog(pg, [slug]) for slug in ("site", "other", "idle", "unknown")] == [4, 1, 0, 0]
    assert backlog(pg) == backlog(pg, ["site", "other", "idle"]) == 5
    pg.complete((held, 1))
    assert backlog(pg, ["site"]) == 3


def test_the_backlog_of_a_flow_is_one_of_all_its_versions(pg: Engine):
    pg.flow("site", {"fetch": step()})
    pg.start("site")
    pg.value(
        "select pgflow.ensure_flow_compiled('site', %s, make_version => true)",
        Jsonb({"steps": [{"slug": "crawl"}]}),
    )
    pg.start_many("site", [1, 2])
    asked = [["site"], ["site@2"], ["site@1"], ["site@3"], ["site", "other"], ["other"], None]
    assert [backlog(pg, slugs) for slugs in asked] == [3, 2, 1, 0, 3, 0, 3]


def test_a_delayed_task_that_is_due_counts_though_no_worker_has_queued_it(pg: Engine):
    pg.flow("site", {"fetch": step()})
    pg.start("site", delay=timedelta(hours=1))
    assert backlog(pg) == 0
    pg.come_due()
    assert backlog(pg) == 1


def test_what_a_lost_worker_holds_and_steps_that_are_claimed_apart_count(pg: Engine):
    pg.flow("site", {"a": step(), "b": step()})
    pg.call("claim_apart", ["site"], ["b"])
    pg.start("site")
    assert backlog(pg) == 2
    pg.claim(1)
    pg.lose_worker()
    assert backlog(pg) == 2


def test_the_backlog_is_counted_no_further_than_it_is_asked_for(pg: Engine):
    pg.flow("site", {"fetch": mapping()})
    pg.start("site", list(range(9)))
    pg.claim(3)
    assert [backlog(pg, None, most) for most in (0, 2, 5, 9, 10, None)] == [0, 2, 5, 9, 9, 9]


def figures(pg: Engine) -> tuple[int, int, float, int]:
    return pg.row("select * from pgflow.get_alert_figures()")


def test_workers_are_counted_by_whether_they_beat_and_old_losses_are_forgotten(pg: Engine):
    silent, long_gone, stopped, living = (uuid4() for _ in range(4))
    for worker_id in (silent, long_gone, stopped, living):
        pg.call("register_worker", worker_id, ["site"])
    assert figures(pg)[:2] == (4, 0)
    pg.conn.execute(
        "update pgflow.workers set last_heartbeat_at = now() - interval '1 min'"
        " where worker_id = %s",
        (silent,),
    )
    pg.lose_worker(long_gone)
    pg.call("mark_worker_stopped", stopped)
    assert figures(pg)[:2] == (1, 1)


def test_a_transaction_that_keeps_dead_rows_is_told_by_its_age(pg: Engine, db: str):
    pg.flow("site", {"fetch": step()})
    # The statistics of this session are those of the moment unless it is in a transaction.
    assert figures(pg)[2] == 0
    with psycopg.connect(db) as idle, psycopg.connect(db) as holding:
        idle.execute("select 1")
        holding.execute("set transaction isolation level repeatable read")
        holding.execute("select from pgflow.runs")
        first = figures(pg)[2]
        assert 0 < first < figures(pg)[2]


def test_dead_rows_of_the_queue_are_told(pg: Engine):
    pg.flow("site", {"fetch": mapping()})
    pg.conn.execute("alter table pgflow.step_tasks set (autovacuum_enabled = false)")
    pg.start("site", list(range(50)))
    pg.claim(50)
    pg.conn.execute("select pg_stat_force_next_flush()")
    assert figures(pg)[3] == 50
