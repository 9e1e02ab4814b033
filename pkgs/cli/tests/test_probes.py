"""What `pgflow worker` answers over HTTP: health, readiness, and metrics."""

import json
import os
import re
import signal
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.support import until

from .conftest import PATIENCE, Command, StartWorker, Worker, children_of, statuses

pytestmark = pytest.mark.slow


def ask(url: str) -> tuple[int, str]:
    """Get a URL; return the status and the body, 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def base_of(process: Worker) -> str:
    """Read from the log where a worker answers."""
    found = until(lambda: re.search(r"http://\S+:\d+", process.log.read_text()), PATIENCE)
    return found[0]


def value(metrics: str, name: str) -> float:
    """Sum the samples of a metric."""
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(name))


def test_a_worker_tells_its_health_and_its_counts(worker: StartWorker, conn: Any):
    process = worker("handlers:rest", "--health-port=0", "--metrics-port=0")
    base = base_of(process)
    assert until(lambda: ask(f"{base}/ready")[0] == 200, PATIENCE)
    assert json.loads(ask(f"{base}/health")[1]) == {"status": "ok"}
    assert ask(f"{base}/else")[0] == 404
    conn.execute("select pgflow.start_flow('rest', '0')")
    until(lambda: statuses(conn) == ["completed"], PATIENCE)
    completed = "pgflow_tasks_completed_total"
    until(lambda: value(ask(f"{base}/metrics")[1], completed) == 1, PATIENCE)
    conn.execute("select pgflow.start_flow('rest', '2')")
    until(lambda: statuses(conn).count("started") == 1, PATIENCE)
    process.signal(signal.SIGTERM)
    # While it drains, it is alive and takes no more.
    assert until(lambda: ask(f"{base}/ready")[0] != 200, PATIENCE)
    assert process.code() == 0


def test_processes_are_answered_for_by_the_one_above_them(worker: StartWorker, conn: Any):
    process = worker("handlers:rest", "--processes=2", "--health-port=0", "--metrics-port=0")
    base = base_of(process)
    until(lambda: json.loads(ask(f"{base}/ready")[1])["processes"] == 2, PATIENCE)
    for _ in range(4):
        conn.execute("select pgflow.start_flow('rest', '0')")
    until(lambda: statuses(conn) == ["completed"] * 4, PATIENCE)
    completed = "pgflow_tasks_completed_total"
    until(lambda: value(ask(f"{base}/metrics")[1], completed) == 4, PATIENCE)
    os.kill(children_of(process.process.pid)[0], signal.SIGKILL)
    until(lambda: process.has_logged("ended by signal 9"), PATIENCE)
    # What a process has counted outlives it.
    assert value(ask(f"{base}/metrics")[1], completed) == 4
    assert ask(f"{base}/ready")[0] == 200
    process.signal(signal.SIGTERM)
    assert process.code() == 0


def test_a_port_that_is_taken_is_told(pgflow: Command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = pgflow("worker", "flows:add", f"--health-port={port}")
    assert done.code == 1
    assert str(port) in done.err


def test_a_worker_without_work_ends_by_itself(worker: StartWorker):
    process = worker("handlers:rest", "--idle-timeout=0.2", "--processes=1")
    assert process.code() == 0
    assert process.has_logged("nothing to do for 0.2 s")


def test_a_worker_whose_time_is_over_ends_by_itself(worker: StartWorker):
    process = worker("handlers:rest", "--run-for=0.2")
    assert process.code() == 0
    assert process.has_logged("its time of 0.2 s is over")
