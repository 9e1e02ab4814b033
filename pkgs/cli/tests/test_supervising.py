"""`pgflow worker --processes`: several processes kept up by one, and their end together."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import until

from .conftest import PATIENCE, Command, StartWorker, Worker, children_of, is_running, statuses

pytestmark = pytest.mark.slow

SERVING = "select count(*) from pgflow.workers where stopped_at is null"
DAY = "86400"
PROGRAM = "from pgflow_cli.app import main\nmain()\n"


def start(conn: Any, flow: str, value: str) -> None:
    conn.execute("select pgflow.start_flow(%s, %s::jsonb)", (flow, value))


def serving(conn: Any) -> int:
    return int(conn.execute(SERVING).fetchone()[0])


def supervised(worker: StartWorker, conn: Any, *words: str, processes: int = 2) -> Worker:
    """Start worker processes and wait until all of them serve."""
    process = worker("handlers:rest", "--processes", str(processes), *words)
    until(lambda: serving(conn) == processes, PATIENCE)
    return process


def test_a_signal_drains_all_processes_even_if_each_of_them_gets_it_too(
    worker: StartWorker, conn: Any
):
    process = supervised(worker, conn, "--shutdown-timeout", DAY)
    start(conn, "rest", "2")
    until(lambda: statuses(conn) == ["started"], PATIENCE)
    children = children_of(process.process.pid)
    assert len(children) == 2
    for child in children * 2:
        os.kill(child, signal.SIGTERM)
    process.signal(signal.SIGTERM)
    assert process.code() == 0
    assert statuses(conn) == ["completed"]
    assert serving(conn) == 0


def test_the_second_signal_stops_all_processes_at_once(worker: StartWorker, conn: Any):
    process = supervised(worker, conn, "--shutdown-timeout", DAY)
    start(conn, "rest", DAY)
    until(lambda: statuses(conn) == ["started"], PATIENCE)
    process.signal(signal.SIGINT)
    until(lambda: process.has_logged("draining: 1"), PATIENCE)
    process.signal(signal.SIGINT)
    assert process.code() == 128 + signal.SIGINT
    assert statuses(conn) == ["queued"]


def test_a_process_that_is_killed_is_replaced_ever_later(worker: StartWorker, conn: Any):
    process = supervised(worker, conn)
    before = children_of(process.process.pid)
    os.kill(before[0], signal.SIGKILL)
    until(lambda: process.has_logged("ended by signal 9"), PATIENCE)
    until(lambda: serving(conn) == 3, PATIENCE)
    after = children_of(process.process.pid)
    assert len(after) == 2
    assert before[1] in after
    assert process.has_logged("another takes its place in 0.5 s")
    [again] = set(after) - {before[1]}
    os.kill(again, signal.SIGKILL)
    until(lambda: process.has_logged("another takes its place in 1 s"), PATIENCE)


def test_processes_drain_when_the_one_above_them_is_killed(worker: StartWorker, conn: Any):
    process = supervised(worker, conn, "--shutdown-timeout", DAY)
    children = children_of(process.process.pid)
    start(conn, "rest", "1")
    until(lambda: statuses(conn) == ["started"], PATIENCE)
    process.signal(signal.SIGKILL)
    process.code()
    until(lambda: not any(is_running(child) for child in children), PATIENCE)
    assert statuses(conn) == ["completed"]
    assert serving(conn) == 0


def test_a_process_that_cannot_drain_is_killed_in_the_end(
    pgflow: Command, worker: StartWorker, write: Callable[[str, str], None], conn: Any
):
    write("impatient.py", "import pgflow_cli.supervising as it; it._GRACE = 0.5\n" + PROGRAM)
    pgflow.program = ("impatient.py",)
    process = supervised(worker, conn, "--shutdown-timeout", "0.5")
    children = children_of(process.process.pid)
    os.kill(children[0], signal.SIGSTOP)
    process.signal(signal.SIGTERM)
    assert process.code() == 128 + signal.SIGKILL
    assert not any(is_running(child) for child in children)


def test_what_keeps_all_processes_from_starting_is_told_once(pgflow: Command, conn: Any):
    conn.execute("drop schema pgflow cascade")
    done = pgflow("worker", "flows:add", "--processes", "3")
    assert done.code == 1
    assert done.err.count("pgflow install") == 1


def test_processes_that_are_deprecated_end_and_are_not_replaced(worker: StartWorker, conn: Any):
    process = supervised(worker, conn)
    conn.execute("update pgflow.workers set deprecated_at = now()")
    assert process.code() == 0
    assert conn.execute("select count(*) from pgflow.workers").fetchone() == (2,)


def test_reloading_does_not_go_with_several_processes(pgflow: Command):
    done = pgflow("worker", "flows:add", "--processes", "2", "--reload")
    assert done.code == 2
    assert "--processes" in done.err
