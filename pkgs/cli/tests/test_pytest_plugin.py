"""What people's tests get by installing pgflow: a fresh database each."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer

pytestmark = pytest.mark.slow

TESTS = """
import asyncio
from datetime import timedelta

import psycopg
import pytest
from pgflow_dsl import Flow
from pgflow_worker.testing import run_flow, run_step

shop = Flow("shop", input=list[int], max_attempts=3, base_delay=timedelta(days=1))
failures = iter([ValueError("not yet")])

@shop.map(over=shop.input)
def price(item: int) -> int:
    for failure in failures:
        raise failure
    return 10 * item

@shop.step(start_delay=timedelta(days=1))
async def total(prices: list[int] = price.output) -> int:
    return sum(prices)

def test_a_step():
    next(failures)
    assert asyncio.run(run_step(price, 2)) == 20

def test_a_flow(pgflow_database):
    assert asyncio.run(run_flow(shop, [1, 2], pgflow_database)) == {"total": 30}

@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_a_database_of_its_own(pgflow_database, number):
    with psycopg.connect(pgflow_database) as conn:
        assert conn.execute("select count(*) from pgflow.flows").fetchone() == (0,)
        conn.execute("select pgflow.create_flow('left_over')")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with tests, in a folder and a session of their own."""
    monkeypatch.delenv("PGFLOW_TEST_DATABASE_URL", raising=False)
    pytester.makepyfile(test_shop=TESTS)
    pytester.makeini("[pytest]\nfilterwarnings = error")
    return pytester


def databases(server: EmbeddedServer) -> list[Any]:
    with psycopg.connect(server.url()) as conn:
        names = "select datname from pg_database where datname like 'pgflow_test_%'"
        return conn.execute(names).fetchall()


def test_tests_run_on_an_embedded_server_without_any_set_up(project: pytest.Pytester):
    project.runpytest_subprocess().assert_outcomes(passed=4)


def test_tests_run_on_a_server_that_is_named_and_leave_nothing_there(
    project: pytest.Pytester, postgres: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGFLOW_TEST_DATABASE_URL", postgres.url())
    # No server of its own could start.
    monkeypatch.setenv("PGFLOW_PG_BIN", "/nowhere")
    project.runpytest_subprocess().assert_outcomes(passed=4)
    assert databases(postgres) == []


def test_a_database_that_cannot_be_had_is_told_in_one_message(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGFLOW_PG_BIN", "/nowhere")
    result = project.runpytest_subprocess("-k", "test_a_flow")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*PGFLOW_TEST_DATABASE_URL*pgflow-cli?embedded?*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_the_plugin_costs_those_who_do_not_use_it_nothing(tmp_path: Path):
    program = """
import sys
import pytest
before = set(sys.modules)
import pgflow_cli.pytest_plugin
heavy = {"psycopg", "pydantic", "rich", "pgflow_dsl"} & (set(sys.modules) - before)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
