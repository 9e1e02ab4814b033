"""`pgflow worker --reload`: a worker that follows its code."""

import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support import until

from .conftest import PATIENCE, Command, StartWorker, children_of

pytestmark = pytest.mark.slow

Write = Callable[[str, str], None]

CODE = """
from pgflow_dsl import Flow

flow = Flow("changing")

@flow.step
async def {step}() -> str:
    return {output!r}
"""


@pytest.fixture
def embedded(pgflow: Command):
    """A home for an embedded server, which the command uses."""
    del pgflow.env["PGFLOW_DATABASE_URL"]
    home = Path(tempfile.mkdtemp(prefix="pgf-"))
    # Another account runs the server where the tests run as root.
    home.chmod(0o711)
    pgflow.env["PGFLOW_HOME"] = str(home)
    yield
    pgflow("db", "reset", "--yes")
    shutil.rmtree(home)


def output_of_a_run(conn: Any) -> Any:
    [run_id] = conn.execute("select run_id from pgflow.start_flow('changing', 'null')").fetchone()
    query = "select output from pgflow.runs where run_id = %s and status = 'completed'"
    [output] = until(lambda: conn.execute(query, (run_id,)).fetchone(), PATIENCE)
    return output


def test_changed_code_is_served_and_broken_code_is_told_and_waited_for(
    worker: StartWorker, write: Write, conn: Any
):
    write("changing.py", CODE.format(step="only", output="old"))
    process = worker("changing", "--reload")
    assert output_of_a_run(conn) == {"only": "old"}
    write("changing.py", "1 / 0\n")
    until(lambda: process.has_logged("ZeroDivisionError"), PATIENCE)
    until(lambda: process.has_logged("the next change of its code starts another"), PATIENCE)
    assert process.process.poll() is None
    write("changing.py", CODE.format(step="only", output="new"))
    assert output_of_a_run(conn) == {"only": "new"}
    process.signal(signal.SIGTERM)
    assert process.code() == 0
    assert not children_of(process.process.pid)


def test_a_change_waits_for_no_handler_for_long(
    worker: StartWorker, write: Write, conn: Any, tmp_path: Path
):
    process = worker("handlers:rest", "--reload", "--shutdown-timeout", "86400")
    conn.execute("select pgflow.start_flow('rest', '86400')")
    held = "select last_worker_id from pgflow.step_tasks where status = 'started'"
    first = until(lambda: conn.execute(held).fetchone(), PATIENCE)
    write("another.py", "")
    until(lambda: conn.execute(held).fetchone() not in (None, first), PATIENCE)
    tried = conn.execute("select attempts_count - released_count from pgflow.step_tasks")
    assert tried.fetchone() == (1,)
    process.signal(signal.SIGTERM)
    # Two that are not taken in yet would be one. The first worker has drained, too.
    until(lambda: process.log.read_text().count("draining: 1") == 2, PATIENCE)
    process.signal(signal.SIGTERM)
    assert process.code() == 128 + signal.SIGTERM
    assert conn.execute(held).fetchone() is None
    assert not children_of(process.process.pid)


def test_another_structure_is_a_version_of_its_own_in_a_database_that_was_named(
    worker: StartWorker, write: Write, conn: Any
):
    write("changing.py", CODE.format(step="old", output="1"))
    worker("changing", "--reload")
    assert output_of_a_run(conn) == {"old": "1"}
    write("changing.py", CODE.format(step="new", output="2"))
    until(lambda: versions(conn) == {1: ["old"], 2: ["new"]}, PATIENCE)
    assert output_of_a_run(conn) == {"new": "2"}


def versions(conn: Any) -> dict[int, list[str]]:
    """Return the steps of each version."""
    query = """
        select flow.version, array_agg(step.step_slug)
        from pgflow.flows as flow
        join pgflow.steps as step using (flow_slug)
        group by flow.version
    """
    return dict(conn.execute(query).fetchall())


def test_another_structure_is_made_in_the_embedded_database(
    pgflow: Command, embedded: None, worker: StartWorker, write: Write
):
    write("changing.py", CODE.format(step="old", output="1"))
    process = worker("changing", "--reload")
    with psycopg.connect(pgflow("db", "url").out.strip(), autocommit=True) as conn:
        assert output_of_a_run(conn) == {"old": "1"}
        # Under way for long, and gone with the flow.
        conn.execute("select pgflow.start_flow('changing', '1', delay => '1 day')")
        write("changing.py", CODE.format(step="new", output="2"))
        until(lambda: process.has_logged("recompiled"), PATIENCE)
        assert process.has_logged("anew has deleted a run that had not ended")
        assert output_of_a_run(conn) == {"new": "2"}
        process.signal(signal.SIGTERM)
        assert process.code() == 0
