"""Wake-ups: who sleeps is told of work, who watches is told of changes, and nobody else."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from core_sql_support import Engine, mapping, step


class Ear:
    """A connection that listens on one channel."""

    def __init__(self, url: str, channel: str) -> None:
        self.conn: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True)
        self.conn.execute(f"listen {channel}")

    def heard(self) -> list[str]:
        """Give what was notified before now: a mark of our own comes after all of it."""
        mark = str(uuid4())
        channel = self.conn.execute("select pg_listening_channels()").fetchone()
        assert channel is not None
        self.conn.execute("select pg_notify(%s, %s)", (channel[0], mark))
        heard: list[str] = []
        for notice in self.conn.notifies(timeout=30):
            if notice.payload == mark:
                return heard
            heard.append(notice.payload)
        pytest.fail("the mark was not heard")


@pytest.fixture
def tasks(db: str) -> Iterator[Ear]:
    ear = Ear(db, "pgflow_tasks")
    yield ear
    ear.conn.close()


@pytest.fixture
def runs(db: str) -> Iterator[Ear]:
    ear = Ear(db, "pgflow_runs")
    yield ear
    ear.conn.close()


@pytest.fixture
def idle(pg: Engine) -> Engine:
    """A worker that serves `site` and has found no work."""
    pg.flow("site", {"a": step(), "b": step("a")}, base_delay=0)
    pg.flow("other", {"a": step()})
    sleeper = Engine(pg.conn)
    sleeper.serve("site")
    sleeper.call("wait_for_tasks", sleeper.worker_id, ["site"])
    return sleeper


def marks(pg: Engine) -> list[str]:
    return pg.column("select flow_slug from pgflow.waiting_workers order by 1")


def test_nothing_is_notified_while_nobody_sleeps(pg: Engine, tasks: Ear):
    pg.flow("site", {"a": step(), "b": step("a")})
    pg.start("site")
    pg.drain()
    assert tasks.heard() == []


def test_a_start_wakes_who_sleeps_for_that_flow(pg: Engine, idle: Engine, tasks: Ear):
    pg.start("other")
    assert tasks.heard() == []
    pg.start_many("site", range(3))
    assert tasks.heard() == ["site"]


def test_a_start_that_is_rolled_back_wakes_nobody(pg: Engine, idle: Engine, tasks: Ear):
    with pg.conn.transaction(force_rollback=True):
        pg.start("site")
    assert tasks.heard() == []


def test_work_that_a_report_leaves_wakes_who_sleeps(pg: Engine, idle: Engine, tasks: Ear):
    pg.start("site")
    tasks.heard()
    pg.complete((pg.claim_one("a"), 1))
    assert tasks.heard() == ["site"]


def test_work_that_the_same_call_claims_wakes_nobody(pg: Engine, idle: Engine, tasks: Ear):
    pg.start("site")
    task = pg.claim_one("a")
    tasks.heard()
    claimed, _ = pg.report_and_claim([(task, 1)], quantity=5)
    assert [task.step for task in claimed] == ["b"]
    assert tasks.heard() == []


def test_the_end_of_a_run_wakes_nobody(pg: Engine, idle: Engine, tasks: Ear):
    pg.start("site")
    pg.complete((pg.claim_one("a"), 1))
    task = pg.claim_one("b")
    tasks.heard()
    pg.complete((task, 1))
    assert tasks.heard() == []


def test_retries_releases_and_recovered_tasks_wake_who_sleeps(pg: Engine, idle: Engine, tasks: Ear):
    pg.start("site")
    tasks.heard()
    pg.fail(pg.claim_one("a"))
    assert tasks.heard() == ["site"]
    pg.release(pg.claim_one("a"))
    assert tasks.heard() == ["site"]
    pg.claim_one("a")
    pg.lose_worker()
    pg.call("requeue_stalled_tasks")
    assert tasks.heard() == ["site"]


def test_a_mark_goes_when_the_worker_gets_all_it_asked_for(pg: Engine, idle: Engine):
    pg.start_many("site", range(3))
    assert len(idle.claim(10)) == 3
    assert marks(pg) == ["site"]
    pg.start("site")
    assert len(idle.claim(1)) == 1
    assert marks(pg) == []


def test_marks_are_one_a_flow_and_go_with_the_worker(pg: Engine, idle: Engine):
    idle.call("wait_for_tasks", idle.worker_id, ["site", "other", "site"])
    assert marks(pg) == ["other", "site"]
    idle.call("mark_worker_stopped", idle.worker_id)
    assert marks(pg) == []


def test_the_mark_of_a_worker_that_was_lost_is_taken_back(pg: Engine, idle: Engine):
    pg.call("requeue_stalled_tasks")
    assert marks(pg) == ["site"]
    pg.lose_worker(idle.worker_id)
    pg.call("requeue_stalled_tasks")
    assert marks(pg) == []


def test_a_sleeper_learns_when_the_next_delayed_task_comes_due(pg: Engine):
    pg.flow("site", {"a": step(start_delay=100), "b": step(start_delay=50)})
    assert pg.call("wait_for_tasks", pg.worker_id, ["site"]) is None
    pg.start("site")
    assert 45 < pg.call("wait_for_tasks", pg.worker_id, ["site", "ghost"]) <= 50
    assert pg.call("wait_for_tasks", pg.worker_id, ["ghost"]) is None


def watch(pg: Engine, *run_ids: Any, seconds: int = 60) -> Any:
    watcher = uuid4()
    pg.call("watch_runs", watcher, list(run_ids), seconds)
    return watcher


def test_changes_of_watched_runs_are_told_and_of_others_not(pg: Engine, runs: Ear):
    pg.flow("maps", {"m": mapping(), "b": step("m")})
    watched, other = pg.start("maps", [1]), pg.start("maps", [1])
    watch(pg, watched)
    watch(pg, watched)
    pg.complete(*[(task, 1) for task in pg.claim()])
    assert runs.heard() == [str(watched)]
    for task in pg.claim():
        pg.fail(task, final=True)
    assert runs.heard() == [str(watched)]
    assert pg.run(other, "status") == "failed"


def test_a_watch_ends_when_it_is_given_up_or_its_time_is_over(pg: Engine, runs: Ear):
    pg.flow("site", {"a": step(), "b": step("a"), "c": step("b")})
    run_id = pg.start("site")
    watcher = watch(pg, run_id)
    pg.call("unwatch_runs", watcher, [run_id])
    pg.complete((pg.claim_one("a"), 1))
    assert runs.heard() == []
    watch(pg, run_id, seconds=-1)
    pg.complete((pg.claim_one("b"), 1))
    assert runs.heard() == []
    assert pg.value("select count(*) from pgflow.run_watchers") == 1
    watch(pg, run_id)
    assert pg.value("select count(*) from pgflow.run_watchers") == 1


def test_watching_again_prolongs_the_watch(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    watcher = watch(pg, run_id, seconds=10)
    pg.call("watch_runs", watcher, [run_id, run_id], 1000)
    left = pg.value("select expires_at - clock_timestamp() from pgflow.run_watchers")
    assert left > timedelta(seconds=900)


def test_who_watches_for_the_end_alone_is_told_of_nothing_else(pg: Engine, runs: Ear):
    pg.flow("site", {"a": step(), "b": step("a"), "c": step("b")})
    run_id = pg.start("site")
    watcher = uuid4()
    pg.call("watch_runs", watcher, [run_id], 60, True)
    pg.complete((pg.claim_one("a"), 1))
    assert runs.heard() == []
    pg.call("watch_runs", watcher, [run_id], 60, False)
    pg.complete((pg.claim_one("b"), 1))
    assert runs.heard() == [str(run_id)]
    pg.call("watch_runs", watcher, [run_id], 60, True)
    pg.complete((pg.claim_one("c"), 1))
    assert runs.heard() == [str(run_id)]


def test_who_watches_for_the_end_alone_is_told_that_the_run_is_deleted(pg: Engine, runs: Ear):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site")
    pg.call("watch_runs", uuid4(), [run_id], 60, True)
    pg.call("delete_flow_and_data", "site")
    assert runs.heard() == [str(run_id)]
