"""Commands for those who run a database: workers, pruning, a short load, and completion."""

import json
import subprocess
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from .conftest import Command


@pytest.fixture
def busy(conn: psycopg.Connection[Any]) -> str:
    """A worker that holds one task of two; the worker's id."""
    conn.execute("select pgflow.create_flow('made')")
    conn.execute("select pgflow.add_step('made', 'only')")
    worker = str(uuid4())
    conn.execute("select pgflow.register_worker(%s, array['made'], 'box:1')", (worker,))
    conn.execute("select pgflow.start_flows('made', array['1', '2']::jsonb[])")
    conn.execute("select pgflow.claim_tasks(array['made'], 1, %s)", (worker,))
    return worker


def test_workers_are_shown_with_what_they_hold(
    pgflow: Command, conn: psycopg.Connection[Any], busy: str
):
    conn.execute("update pgflow.workers set deprecated_at = now()")
    shown = pgflow("workers").out
    assert "box:1" in shown
    assert "draining" in shown
    assert "only" in shown
    (listed,) = json.loads(pgflow("workers", "--json").out)
    assert listed["worker_id"] == busy
    assert listed["holds"]["count"] == 1
    assert listed["holds"]["tasks"][0]["step_slug"] == "only"


def test_without_workers_it_is_said_how_to_run_one(pgflow: Command, conn: Any):
    assert "pgflow worker" in pgflow("workers").out


def test_pruning_deletes_what_ended_long_ago_and_only_after_a_yes(
    pgflow: Command, conn: psycopg.Connection[Any], busy: str
):
    conn.execute("select pgflow.cancel_flow_runs('made')")
    conn.execute(
        "update pgflow.runs set run_id = pgflow.run_id_at(now() - interval '9 days'), "
        "started_at = now() - interval '9 days', cancelled_at = now() - interval '9 days' "
        "where run_id = (select run_id from pgflow.runs limit 1)"
    )

    def runs() -> int:
        return conn.execute("select count(*) from pgflow.runs").fetchall()[0][0]

    assert "1 run " in pgflow("prune", "--older-than", "7d", "--dry-run").out
    refused = pgflow("prune", "--older-than", "7d", stdin="n\n")
    assert (refused.code, runs()) == (1, 2)
    done = json.loads(pgflow("prune", "--older-than", "7d", "--yes", "--json").out)
    assert done == {"found": 1, "deleted": 1}
    assert runs() == 1
    assert json.loads(pgflow("prune", "--older-than", "7d", "--yes", "--json").out)["found"] == 0


def test_a_bench_measures_and_leaves_nothing_behind(pgflow: Command, conn: Any):
    figures = json.loads(pgflow("bench", "--size", "100", "--yes", "--json").out)
    assert len(figures) == 6
    assert all(figure["value"] > 0 for figure in figures)
    for table in ("flows", "runs", "step_tasks"):
        assert conn.execute(f"select count(*) from pgflow.{table}").fetchone() == (0,)
    assert pgflow("bench", stdin="n\n").code == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_asks_the_command(pgflow: Command, shell: str):
    script = pgflow("completion", shell).out
    assert "_PGFLOW_COMPLETE" in script
    assert "pgflow" in script
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


def test_watch_is_the_live_view_of_a_run(pgflow: Command, conn: Any, busy: str):
    conn.execute("select pgflow.cancel_flow_runs('made', 'enough')")
    (run_id,) = conn.execute("select run_id from pgflow.runs limit 1").fetchone()
    done = pgflow("watch", str(run_id))
    assert done.code == 4
    assert "enough" in done.out
