"""`pgflow worker` as a process: its signals, its end, what it needs, and what it logs."""

import json
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import until

from .conftest import PATIENCE, Command, StartWorker, children_of, is_running, statuses


def test_a_drain_that_takes_too_long_hands_the_tasks_back(
    pgflow: Command, worker: StartWorker, conn: Any
):
    process = worker("handlers:rest", "--shutdown-timeout", "0.1")
    pgflow("start", "rest", "600")
    until(lambda: statuses(conn) == ["started"], PATIENCE)
    process.signal(signal.SIGTERM)
    assert process.code() == 0
    assert statuses(conn) == ["queued"]


@pytest.mark.parametrize("flow", ["hang", "offload", "stubborn", "far"])
def test_no_handler_holds_the_end_of_a_worker_up(
    pgflow: Command, worker: StartWorker, conn: Any, flow: str
):
    process = worker(f"handlers:{flow}", "--shutdown-timeout", "0.1", "--handler-processes", "1")
    pgflow("start", flow, "600")
    until(lambda: statuses(conn) == ["started"], PATIENCE)
    children = children_of(process.process.pid)
    process.signal(signal.SIGTERM)
    assert process.code() == 0
    until(lambda: not any(is_running(child) for child in children), PATIENCE)


def test_a_worker_whose_handler_cancels_all_tasks_ends_with_the_reason(
    pgflow: Command, worker: StartWorker, conn: Any
):
    process = worker("handlers")
    pgflow("start", "rest", "600")
    until(lambda: statuses(conn) == ["started"], PATIENCE)
    pgflow("start", "wreck", "0")
    assert process.code() == 1
    assert process.has_logged("the handler of step 'wreck' of flow 'wreck' has cancelled all tasks")
    assert not process.has_logged("CancelledError")
    tried = "select flow_slug, status, attempts_count - released_count from pgflow.step_tasks"
    assert sorted(conn.execute(tried).fetchall()) == [("rest", "queued", 0), ("wreck", "queued", 1)]


def test_a_killed_workers_tasks_go_to_another(pgflow: Command, worker: StartWorker, conn: Any):
    lost = worker("handlers:rest")
    pgflow("start", "rest", "2")
    until(lambda: statuses(conn) == ["started"], PATIENCE)
    lost.signal(signal.SIGKILL)
    worker("handlers:rest")
    until(lambda: statuses(conn) == ["completed"], PATIENCE)
    attempts = conn.execute("select attempts_count from pgflow.step_tasks").fetchone()
    assert attempts == (2,)
    states = {each["state"] for each in json.loads(pgflow("status", "--json").out)["workers"]}
    assert states == {"alive", "lost"}


def test_a_signal_ends_a_worker_whose_connection_is_long_in_coming(worker: StartWorker):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://x@127.0.0.1:{silent.getsockname()[1]}/x"
        process = worker("handlers:rest", "--database-url", url, wait=False)
        accepted, _ = silent.accept()
        with accepted:
            process.signal(signal.SIGINT)
            assert process.code() == 130
    assert not process.has_logged("Traceback")


def test_a_flow_of_another_structure_is_refused_unless_it_may_be_made_anew(
    pgflow: Command, worker: StartWorker, write: Callable[[str, str], None], conn: Any
):
    write("one.py", "from handlers import reshaped\nflow = reshaped(1)\n")
    write("two.py", "from handlers import reshaped\nflow = reshaped(2)\n")
    conn.execute(pgflow("compile", "one").out)
    refused = pgflow("worker", "two", "--no-versions")
    assert refused.code == 1
    assert "shaped" in refused.err
    assert "step_1" in refused.err
    assert "--recompile" in refused.err
    worker("two", "--recompile")
    assert conn.execute("select count(*) from pgflow.steps").fetchone() == (2,)


def test_a_worker_installs_the_schema_only_where_it_is_told_to(
    pgflow: Command, worker: StartWorker, conn: Any
):
    conn.execute("drop schema pgflow cascade")
    refused = pgflow("worker", "handlers:rest")
    assert refused.code == 1
    assert "pgflow install" in refused.err
    assert conn.execute("select to_regnamespace('pgflow')").fetchone() == (None,)
    worker("handlers:rest", "--install")


def test_a_worker_that_only_polls_does_its_work_and_logs_json(
    pgflow: Command, worker: StartWorker, conn: Any
):
    words = ("--no-listen", "--no-prepared-statements", "--log-format=json")
    process = worker("handlers", *words)
    conn.execute("select pgflow.start_flow('rest', '0'), pgflow.start_flow('wrong', '0')")
    until(lambda: sorted(statuses(conn)) == ["completed", "failed"], PATIENCE)
    until(lambda: process.has_logged("is not tried again"), PATIENCE)
    process.signal(signal.SIGTERM)
    assert process.code() == 0
    records = [json.loads(line) for line in process.log.read_text().splitlines()]
    assert all(record.keys() >= {"time", "level", "logger", "message"} for record in records)
    about = [record for record in records if record.get("step_slug") == "wrong"]
    assert all(record["flow_slug"] == "wrong" for record in about)
    assert sorted(record["attempt"] for record in about) == [1, 1, 2, 2]
    assert [record["retry_in"] for record in about if "retry_in" in record] == [0]
    assert len([record for record in about if record.get("duration", -1) >= 0]) == 2
    # The second is like the first.
    [shown] = [record["exception"] for record in about if "exception" in record]
    assert shown.startswith("Traceback")
    assert "in wrong" in shown


def test_a_worker_heeds_its_limits_and_makes_resources(
    pgflow: Command, worker: StartWorker, conn: Any
):
    worker("handlers.py", "--limit", "rest=1", "--lifespan", "handlers:lifespan")
    for _ in range(2):
        pgflow("start", "rest", "600")
    pgflow("start", "tell")
    until(lambda: sorted(statuses(conn)) == ["completed", "queued", "started"], PATIENCE)
    told = conn.execute("select output from pgflow.step_tasks where status = 'completed'")
    assert told.fetchone() == ("resources of a worker that is starting",)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--limit", "rest=0"], "rest=0"),
        (["--limit", "rest"], "FLOW.STEP=N"),
        (["--limit", "work=1"], "does not serve flow 'work'"),
        (["--lifespan", "handlers"], "'handlers' names no flow"),
        (["--lifespan", "handlers:nothing"], "there is no 'nothing' in handlers"),
        (["--lifespan", "handlers:lifespan.__name__"], "is a str, no function"),
    ],
)
def test_what_is_wrong_with_a_limit_or_a_lifespan_is_told(
    pgflow: Command, worker: StartWorker, words: list[str], told: str
):
    # The fixture has written the module.
    assert worker is not None
    refused = pgflow("worker", "handlers:rest", *words)
    assert refused.code in (1, 2)
    assert told in refused.err
