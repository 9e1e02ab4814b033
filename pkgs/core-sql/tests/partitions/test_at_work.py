"""Partitions are made and dropped beside workers, and their calls stay what they were."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import psycopg
import pytest
from core_sql_support import Engine, explained, in_turn, is_blocked, sessions, step
from psycopg import errors

from .conftest import History, forget_last_months, months_ago, partition_name

BATCH = 10


def repeated(call: Callable[[], str | None]) -> int:
    """Call until there is nothing more to do, again where somebody was in the way."""
    done = 0
    while True:
        try:
            if call() is None:
                return done
        except errors.LockNotAvailable:
            continue
        done += 1


def test_workers_go_on_while_partitions_are_made_and_dropped(history: History, db: str):
    for number in range(8):
        history.end(history.start_at(months_ago(number)))
    ended = history.column("select run_id from pgflow.runs")
    old = [history.start_at(months_ago(2)) for _ in range(5)]
    history.call("set_retention", "20 days")
    stop = Event()

    def work() -> int:
        with psycopg.connect(db, autocommit=True) as conn:
            worker, started = Engine(conn), 0
            worker.serve("chain")
            while not stop.is_set():
                started += len(worker.start_many("chain", [{}] * 5))
                worker.complete(*((task, 1) for task in worker.claim(7)))
            return started

    with ThreadPoolExecutor(3) as pool:
        workers = [pool.submit(work) for _ in range(3)]
        try:
            assert repeated(lambda: history.call("create_partitions", "2 months")) == 14
            assert repeated(lambda: history.call("drop_partitions")) >= 7 * 5
        finally:
            stop.set()
        started = sum(worker.result() for worker in workers)
    while tasks := history.claim():
        history.complete(*((task, 1) for task in tasks))
    completed = history.column("select run_id from pgflow.runs where status = 'completed'")
    assert len(completed) == started + len(old)
    assert set(old) < set(completed)
    assert len(history.column("select run_id from pgflow.runs")) < started + len(old + ended)
    assert partition_name("runs", months_ago(2)) in history.months()


@pytest.mark.parametrize(
    ("table", "call"),
    [
        ("runs", "start"),
        ("step_states", "start"),
        ("step_tasks", "start"),
        ("step_tasks", "complete"),
        ("task_attempts", "fail"),
        ("step_states", "cancel"),
    ],
)
def test_whoever_waits_for_a_month_that_is_made_finds_what_moved_there(
    history: History, db: str, table: str, call: str
):
    forget_last_months(history)
    run_id = history.start("chain")
    task = history.claim_one()
    with sessions(db, 2, ["chain"]) as (maker, other):
        calls: dict[str, Callable[[], object]] = {
            "start": lambda: other.start("chain"),
            "complete": lambda: other.complete((task, 1)),
            "fail": lambda: other.fail(task),
            "cancel": lambda: other.call("cancel_run", run_id),
        }
        while maker.call("create_partitions", "0") != partition_name(table, months_ago(0)):
            maker.commit()
        in_turn(history.conn, maker, other, calls[call])
    runs = 2 if call == "start" else 1
    assert history.value("select count(*) from pgflow.runs") == runs
    assert history.value("select count(*) from pgflow.step_states") == 2 * runs
    statuses = {"complete": "completed", "fail": "queued", "cancel": "cancelled"}
    assert history.task(task) == statuses.get(call, "started")


def test_a_run_that_is_repeated_meanwhile_keeps_its_month(history: History, db: str):
    [run_id] = [history.start_at(months_ago(6))]
    [task] = history.claim()
    history.fail(task, final=True)
    history.conn.execute("update pgflow.runs set failed_at = started_at")
    while history.months()[0] != partition_name("runs", months_ago(6)):
        history.call("drop_partitions", "200 days")
    with sessions(db, 1, ["chain"]) as [other]:
        other.call("retry_run", run_id)
        with pytest.raises(errors.LockNotAvailable):
            # It has looked before: what the other session does is not to be seen yet.
            history.drop("60 days")
        other.commit()
    assert partition_name("runs", months_ago(6)) not in history.drop("60 days")
    assert history.claim_one().run_id == run_id


def test_a_run_that_is_repeated_while_its_month_is_about_to_be_dropped_keeps_it(
    history: History, db: str
):
    run_id = history.start_at(months_ago(6))
    history.fail(history.claim_one(), final=True)
    where = "where partition_name = %s"
    bounds = history.row(
        f"select partition_name, first_id, end_id from pgflow.partitions {where}",
        partition_name("runs", months_ago(6)),
    )
    with sessions(db, 2, ["chain"]) as [repeating, dropping]:
        repeating.call("retry_run", run_id)
        assert not in_turn(
            history.conn, repeating, dropping, lambda: dropping.call("_drop_month", *bounds)
        )
    assert history.claim_one().run_id == run_id


def test_whoever_reads_keeps_a_partition_for_no_longer_than_a_moment(history: History, db: str):
    history.end(history.start_at(months_ago(6)))
    with sessions(db, 2, ["chain"]) as [reader, worker]:
        reader.rows("select from pgflow.runs")
        with pytest.raises(errors.LockNotAvailable):
            history.drop("60 days")
        # Nobody waits behind the one that gave up.
        worker.start("chain")
        assert len(worker.claim()) == 1
        assert not is_blocked(history.conn, worker)
        worker.commit()
        reader.commit()
        assert history.drop("60 days") != []


def test_an_idempotency_key_that_somebody_holds_keeps_its_month(history: History, db: str):
    history.end(history.start_at(months_ago(7), idempotency_key="held"))
    with sessions(db, 1, ["chain"]) as [other]:
        other.rows("select from pgflow.run_keys for update")
        assert history.drop("200 days") == []
        other.commit()
    assert history.drop("200 days") == [partition_name("runs", months_ago(7))]


def test_two_that_drop_at_once_do_not_wait_for_one_another(history: History, db: str):
    history.end(history.start_at(months_ago(7)))
    with sessions(db, 1, ["chain"]) as [other]:
        assert other.call("drop_partitions", "200 days") is not None
        assert history.call("drop_partitions", "200 days") is None
        assert history.call("create_partitions") is None
        other.commit()
    assert history.call("drop_partitions", "200 days") is not None


def test_calls_of_workers_and_starters_read_no_partition_whole(history: History):
    history.flow("site", {"fetch": {}, "score": step("fetch")})
    history.until_none("create_partitions")
    for number in (5, 3):
        history.end(*(history.start_at(months_ago(number), "site") for _ in range(100)))
    history.start_many("site", [{}] * 300)
    history.complete(*((task, 1) for task in history.claim(200)))
    tasks = history.claim(BATCH)
    costs = {
        "start": ("select * from pgflow.start_flows('site', %s::jsonb[])", ["{}"] * BATCH),
        "claim": (
            "select * from pgflow.claim_tasks('{site}', %s, %s)",
            *(BATCH, history.worker_id),
        ),
        "complete": (
            "select * from pgflow.complete_tasks(%s::uuid[], %s, %s, %s::jsonb[], %s)",
            *([task.run_id for task in tasks], [task.step for task in tasks]),
            *([task.index for task in tasks], ["1"] * BATCH, [task.attempt for task in tasks]),
        ),
    }
    for name, (query, *arguments) in costs.items():
        work = explained(history, query, *arguments)
        tables = {"runs", "step_states", "step_tasks"}
        assert work.scanned & tables == set(), name
        assert sum(work.rows.get(table, 0) for table in tables) <= 20 * BATCH, (name, work)
