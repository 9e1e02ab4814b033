"""What the commands do, each as a process of its own against a real database."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support import until

from .conftest import Command

PATIENCE = timedelta(seconds=30)


@contextmanager
def serving(pgflow: Command, conn: psycopg.Connection[Any], *words: str) -> Iterator[Any]:
    """Have a worker process serve the flows of the folder."""
    before = conn.execute("select count(*) from pgflow.workers").fetchone()
    process = pgflow.start("worker", "flows", *words)
    try:
        until(
            lambda: conn.execute("select count(*) from pgflow.workers").fetchone() != before,
            PATIENCE,
        )
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


def test_install_brings_an_empty_database_to_this_version(pgflow: Command, conn: Any):
    conn.execute("drop schema pgflow cascade")

    assert pgflow("install", "--check").code == 3
    first = pgflow("install")
    second = pgflow("install")

    assert (first.code, second.code) == (0, 0)
    assert "0001_definition" in first.out
    assert "already in database" in second.out
    assert "which PGFLOW_DATABASE_URL names" in second.out
    assert pgflow("install", "--check").code == 0
    assert json.loads(pgflow("install", "--json").out)["applied"] == []


def test_install_applies_what_check_told_also_where_that_is_functions_alone(
    pgflow: Command, conn: Any
):
    conn.execute("update pgflow.schema_migrations set digest = 'x' where name ~ '^functions'")
    told = json.loads(pgflow("install", "--check", "--json").out)["pending"]
    assert told == ["functions, views and rights"]

    assert told[0] in pgflow("install").out

    assert pgflow("install", "--check").code == 0


def test_install_prints_a_script_for_those_who_own_their_migrations(pgflow: Command, conn: Any):
    conn.execute("drop schema pgflow cascade")
    script = pgflow("install", "--sql").out

    with psycopg.connect(pgflow.env["PGFLOW_DATABASE_URL"]) as other:
        other.execute(script)

    assert pgflow("install", "--check").code == 0


def test_a_schema_of_a_newer_version_is_left_alone(pgflow: Command, conn: Any):
    conn.execute("insert into pgflow.schema_migrations values (999, 'future', 'x')")
    for words in (("install",), ("status",), ("start", "add", "1"), ("worker", "flows")):
        done = pgflow(*words)
        assert done.code == 1, words
        assert "999" in done.err
        assert "upgrade" in done.err


def test_compile_prints_sql_that_defines_the_flows(pgflow: Command, conn: Any):
    done = pgflow("compile", "flows:fan", "flows:add")
    for _ in range(2):
        conn.execute(done.out)
    slugs = conn.execute("select flow_slug from pgflow.flows order by 1").fetchall()
    assert slugs == [("add",), ("fan",)]


def test_compile_writes_files_and_overwrites_only_what_it_may(pgflow: Command):
    folder = pgflow.folder / "sql"
    assert pgflow("compile", "flows:add", "--out", "sql").code == 0
    file = folder / "create_add_flow.sql"
    text = file.read_text()

    assert "Unchanged" in pgflow("compile", "flows:add", "--out", "sql").out
    file.write_text("mine")
    refused = pgflow("compile", "flows", "--out", "sql")

    assert refused.code == 1
    assert "--force" in refused.err
    assert sorted(path.name for path in folder.iterdir()) == ["create_add_flow.sql"]
    assert file.read_text() == "mine"
    assert pgflow("compile", "flows:add", "--out", "sql", "--force").code == 0
    assert file.read_text() == text


def test_a_run_is_started_watched_and_looked_at(pgflow: Command, conn: Any):
    with serving(pgflow, conn):
        by_code = pgflow("start", "flows:fan", "[1, 2]", "--watch")
        by_slug = pgflow("start", "add", "--input", "-", "--json", stdin="41")
        run_id = json.loads(by_slug.out)["run_id"]
        until(
            lambda: (
                conn.execute(
                    "select output from pgflow.runs where run_id = %s", (run_id,)
                ).fetchone()
                == ({"plus_one": 42},)
            ),
            PATIENCE,
        )

    assert by_code.code == 0
    assert "double completed" in by_code.out
    assert '"double": [' in by_code.out
    assert "completed" in pgflow("status", run_id).out
    assert json.loads(pgflow("status", run_id, "--json").out)["status"] == "completed"
    overview = json.loads(pgflow("status", "--json").out)
    assert {flow["flow_slug"]: flow["runs_completed"] for flow in overview["flows"]} == {
        "add": 1,
        "fan": 1,
        "slow": 0,
    }


def test_a_watched_run_that_fails_says_why_and_exits_with_1(pgflow: Command, conn: Any):
    with serving(pgflow, conn):
        done = pgflow("start", "flows:fan", "[-1]", "--watch")
    assert done.code == 1
    assert "ValueError: negative" in done.out


def test_sigterm_lets_handlers_finish(pgflow: Command, conn: Any):
    with serving(pgflow, conn) as process:
        pgflow("start", "slow", "1")
        until(lambda: held(conn) == 1, PATIENCE)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert conn.execute("select status from pgflow.runs").fetchone() == ("completed",)


def test_a_second_signal_hands_the_tasks_back(pgflow: Command, conn: Any):
    with serving(pgflow, conn) as process:
        pgflow("start", "slow", "600")
        until(lambda: held(conn) == 1, PATIENCE)
        process.send_signal(signal.SIGINT)
        # Two signals that come at once would have no order.
        while "draining" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    task = conn.execute("select status, released_count from pgflow.step_tasks").fetchone()
    assert task == ("queued", 1)


def held(conn: Any) -> int:
    row = conn.execute("select count(*) from pgflow.step_tasks where status = 'started'")
    return int(row.fetchone()[0])


BAD = {
    "unknown flow": (("start", "nothing", "1"), "nothing does not exist"),
    "input of another type": (("start", "flows:add", '"x"'), "valid integer"),
    "input that is no JSON": (("start", "add", "{oops"), "not JSON"),
    "no such module": (("worker", "nowhere"), "no module 'nowhere'"),
    "no such flow": (("worker", "flows:subtract"), "'subtract'"),
    "not a flow": (("compile", "flows:asyncio"), "not a flow"),
    "module with an error": (("compile", "broken"), "ZeroDivisionError"),
    "module that is no Python": (("compile", "garbled.py"), "SyntaxError"),
    "module that imports what is not there": (("compile", "hungry"), "no_such_thing"),
    "no such file": (("compile", "there/is/no.py:flow"), "no file"),
    "no such run": (("status", "00000000-0000-7000-8000-000000000000"), "does not exist"),
    "nobody listens": (
        ("status", "--database-url", "postgresql://x@127.0.0.1:1/x"),
        "127.0.0.1",
    ),
    "not a database URL": (("status", "--database-url", "mysql://x"), "--database-url"),
    "no such input file": (("start", "add", "--input", "gone.json"), "gone.json"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_one_message_and_changes_nothing(
    pgflow: Command, conn: Any, write: Any, case: str
):
    write("broken.py", "1 / 0\n")
    write("garbled.py", "def :\n")
    write("hungry.py", "import no_such_thing\n")
    words, told = BAD[case]

    done = pgflow(*words)

    assert done.code == 1
    assert told in done.err
    assert done.out == ""
    assert conn.execute("select count(*) from pgflow.runs").fetchone() == (0,)
    assert conn.execute("select count(*) from pgflow.flows").fetchone() == (0,)


def test_wrong_words_are_usage_errors(pgflow: Command):
    assert pgflow("fly").code == 2
    assert pgflow("status", "not-a-uuid").code == 2
    assert pgflow("worker").code == 2


def test_a_database_without_pgflow_says_how_to_install_it(pgflow: Command, conn: Any):
    conn.execute("drop schema pgflow cascade")
    done = pgflow("start", "add", "1")
    assert done.code == 1
    assert "pgflow install" in done.err


def test_a_named_database_gets_no_flow_by_a_start_and_one_thing_to_do_is_told(
    pgflow: Command, conn: Any
):
    done = pgflow("start", "flows:add", "1")
    assert done.code == 1
    [database] = conn.execute("select current_database()").fetchone()
    assert f"flow add is not in database {database}, which PGFLOW_DATABASE_URL names" in done.err
    assert done.err.count("`pgflow ") == 1
    assert "`pgflow worker flows:add` defines and serves it" in done.err
    assert conn.execute("select count(*) from pgflow.flows").fetchone() == (0,)


def test_without_a_database_an_embedded_one_starts_with_the_schema(pgflow: Command):
    del pgflow.env["PGFLOW_DATABASE_URL"]
    home = Path(tempfile.mkdtemp(prefix="pgf-"))
    # Another account runs the server where the tests run as root.
    home.chmod(0o711)
    pgflow.env["PGFLOW_HOME"] = str(home)
    try:
        done = pgflow("status", "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["flows"] == []
        assert "no flows yet" in pgflow("start", "add", "1").err
        # It gets a flow in code by itself too, so that nobody has to wait for their own worker.
        started = pgflow("start", "flows:add", "1")
        assert started.code == 0, started.err
        assert "Flow add is now defined in the embedded database" in started.err
        assert "pgflow worker flows:add" in started.err
        assert "defined" not in pgflow("start", "add", "1").err
        (pgflow.folder / "jobs.py").write_text(
            "from pgflow_dsl import job\n@job\ndef greet(name: str) -> str:\n    return name\n"
        )
        assert "Flow greet is now defined" in pgflow("start", "jobs:greet", '"Ada"').err
        assert f"in the embedded database in {home}" in pgflow("status").out
    finally:
        pgflow("db", "reset", "--yes")
        shutil.rmtree(home)


def test_help_and_version_import_nothing_heavy(pgflow: Command):
    program = """
import sys
from pgflow_cli.app import main
assert main.run(["--help"]) == 0 and main.run(["--version"]) == 0
heavy = {"psycopg", "pydantic", "rich", "asyncio", "pgflow_dsl"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "pgflow 0." in done.stdout
