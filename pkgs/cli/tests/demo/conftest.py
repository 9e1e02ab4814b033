"""Folders to read, and the demo as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

VARIABLES = (
    *("PGFLOW_PG_BIN", "PGFLOW_DATABASE_URL", "DATABASE_URL", "XDG_STATE_HOME", "PGFLOW_DEBUG"),
    *("UV_RUN_RECURSION_DEPTH", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of each language."""
    made = tmp_path / "read me"
    (made / "src").mkdir(parents=True)
    (made / "README.md").write_text("# One\n\nSee [two](src/a.py) and https://a.example/b.\n")
    (made / "src" / "a.py").write_text("class A:\n    def b(self):\n        return 1\n")
    (made / "src" / "test_a.py").write_text("def test_a():\n    assert True\n")
    (made / "src" / "t.sql").write_text("create table t (a int);\ncreate index i on t (a);\n")
    (made / "notes.txt").write_text("five words in one line\n")
    return made


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of the demo: nothing set but where it keeps things."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return kept | {"PGFLOW_HOME": str(tmp_path / "home")}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Start `pgflow` with some words in a process, which is ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: object, **options: object) -> subprocess.Popen[str]:
        defaults = {
            "cwd": tmp_path,
            "env": environment,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "encoding": "utf-8",
        }
        command = [sys.executable, "-m", "pgflow_cli", *map(str, words)]
        process = subprocess.Popen(command, **defaults | options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def run(start: Start) -> Run:
    """Run `pgflow` with some words to its end."""

    def run(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
        process = start(*words, **options)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run


@pytest.fixture
def bare_db(postgres: EmbeddedServer) -> Iterator[str]:
    """The URL of a database without pgflow's schema."""
    with psycopg.connect(postgres.url(), autocommit=True) as conn:
        conn.execute("create database demo_bare")
        yield postgres.url("demo_bare")
        conn.execute("drop database demo_bare with (force)")
