"""`pgflow runs`, and what `pgflow start` says of a run beside its input."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from pgflow_cli.app import main

from .conftest import Result

WORKER = uuid4()

# These commands are many, and a process of its own takes each a second to begin.
InProcess: TypeAlias = Callable[..., Result]


@pytest.fixture
def pgflow(
    db: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> InProcess:
    """The command, run in this process."""
    monkeypatch.setenv("PGFLOW_DATABASE_URL", db)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: str) -> Result:
        code = main.run(words)
        told = capsys.readouterr()
        return Result(code, told.out, told.err)

    return run


@pytest.fixture
def flows(conn: Any) -> None:
    """Two flows, and a worker that does nothing by itself."""
    conn.execute("select pgflow.create_flow('add'), pgflow.create_flow('fan')")
    conn.execute("select pgflow.add_step('add', 'plus_one')")
    conn.execute("select pgflow.add_step('fan', 'double', step_type => 'map')")
    conn.execute("select pgflow.register_worker(%s, '{add,fan}')", (WORKER,))


def finish(conn: Any, *, fails: bool = False, message: str = "boom") -> None:
    """Have all tasks that are ready end."""
    tasks = conn.execute(
        "select run_id, step_slug, task_index from pgflow.claim_tasks('{add,fan}', 100, %s)",
        (WORKER,),
    ).fetchall()
    for task in tasks:
        if fails:
            fail = "select pgflow.fail_task(%s, %s, %s, %s, is_final => true)"
            conn.execute(fail, (*task, message))
        else:
            conn.execute("select pgflow.complete_task(%s, %s, %s, '2')", task)


def start(pgflow: InProcess, *words: str) -> str:
    done = pgflow("start", *words)
    assert done.code == 0, done.err
    return done.out.strip()


def test_a_start_takes_a_key_a_delay_and_tags(pgflow: InProcess, conn: Any, flows: None):
    words = ("add", "1", "--idempotency-key", "x", "--delay", "2h", "--priority", "3")
    first = start(pgflow, *words, "--tag", "tenant=7", "--tag", "kind=a b", "--tag", 'id="7"')
    assert start(pgflow, *words) == first
    row = conn.execute(
        "select run_id, tags, delayed_until - started_at, priority from pgflow.runs"
    ).fetchall()
    tags = {"tenant": 7, "kind": "a b", "id": "7"}
    assert [(str(row[0]), *row[1:]) for row in row] == [(first, tags, timedelta(hours=2), 3)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--delay", "soon"), "'soon' is no span of time such as 30s, 5min, 2h or 1d"),
        (("--delay", "99999999999d"), "is no span of time"),
        (("--tag", "red"), "'red' is not NAME=VALUE"),
        (("--idempotency-key", ""), "an idempotency key has 1 to 500 characters, not 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    pgflow: InProcess, flows: None, words: tuple[str, ...], message: str
):
    done = pgflow("start", "add", "1", *words)
    assert done.code != 0
    assert message in done.err
    assert "Traceback" not in done.err


def test_runs_are_listed_with_what_is_known_of_them(pgflow: InProcess, conn: Any, flows: None):
    assert pgflow("runs", "list").out == "no runs\n"
    done = start(pgflow, "add", "1", "--tag", "tenant=7")
    finish(conn)
    failed = start(pgflow, "add", "2", "--tag", "tenant=8")
    finish(conn, fails=True)
    live = start(pgflow, "fan", "[1, 2]")

    table = pgflow("runs", "list")
    assert table.code == 0
    assert [line.split()[0] for line in table.out.splitlines()] == ["run", live, failed, done]
    assert "tenant=8" in table.out
    assert "plus_one: boom" in table.out
    listed = json.loads(pgflow("runs", "list", "--json", "--since", "1h").out)
    assert [run["run_id"] for run in listed] == [live, failed, done]
    assert datetime.fromisoformat(listed[0]["started_at"]).tzinfo is not None
    for words, expected in (
        (("--flow", "fan"), [live]),
        (("--status", "failed"), [failed]),
        (("--tag", "tenant=7"), [done]),
        (("--until", "2020-01-01"), []),
        (("--before", failed), [done]),
    ):
        found = json.loads(pgflow("runs", "list", "--json", *words).out)
        assert [run["run_id"] for run in found] == expected, words
    page = pgflow("runs", "list", "--limit", "2")
    assert len(page.out.splitlines()) == 3
    assert f"`--before {failed}` goes on" in page.err


def test_a_run_is_shown_and_watched_to_its_end(pgflow: InProcess, conn: Any, flows: None):
    run_id = start(pgflow, "add", "1")
    assert f"run {run_id} of add: started" in pgflow("runs", "show", run_id).out
    finish(conn)
    watched = pgflow("runs", "watch", run_id)
    assert watched.code == 0
    assert "run completed" in watched.out
    assert json.loads(watched.out[watched.out.index("{") :]) == {"plus_one": 2}
    lines = [
        json.loads(line) for line in pgflow("runs", "watch", run_id, "--json").out.splitlines()
    ]
    assert [line["event"] for line in lines] == [
        *("RunStarted", "StepStarted", "StepCompleted", "RunEnded"),
    ]
    rest = pgflow("runs", "watch", run_id, "--json", "--after", lines[1]["cursor"])
    assert [json.loads(line) for line in rest.out.splitlines()] == lines[2:]
    nothing = pgflow("runs", "watch", run_id, "--json", "--after", lines[-1]["cursor"])
    assert (nothing.code, nothing.out) == (0, "")


def test_a_text_of_a_stranger_commands_no_terminal(pgflow: InProcess, conn: Any, flows: None):
    hostile = "\x1b]0;gone\x07\x1b[2J\r\x9bH\u202eback"
    run_id = start(pgflow, "add", "1", "--tag", f"from={hostile}")
    finish(conn, fails=True, message=f"first {hostile}\nsecond {hostile}")
    for words in (
        ("runs", "list"),
        ("runs", "show", run_id),
        ("runs", "watch", run_id),
        ("runs", "list", "--json"),
        ("runs", "watch", run_id, "--json"),
    ):
        shown = pgflow(*words).out
        assert "first" in shown
        assert not set("\x1b\x07\r\x9b\u202e") & set(shown), words
    assert len(pgflow("runs", "list").out.splitlines()) == 2
    [listed] = json.loads(pgflow("runs", "list", "--json").out)
    assert listed["tags"] == {"from": hostile}


def test_runs_are_cancelled_retried_and_restarted(pgflow: InProcess, conn: Any, flows: None):
    run_id, other = start(pgflow, "add", "1"), start(pgflow, "add", "2")
    done = pgflow("runs", "cancel", run_id, other, "--reason", "too early")
    assert done.code == 0
    assert done.out == f"run {run_id} of add: cancelled\nrun {other} of add: cancelled\n"
    assert "cancelled: too early" in pgflow("runs", "show", run_id).out
    assert pgflow("runs", "watch", run_id).code == 4
    assert pgflow("runs", "retry", run_id).out == f"run {run_id} of add: started\n"
    finish(conn)
    again = pgflow("runs", "restart", run_id, "--from", "plus_one", "--json")
    assert json.loads(again.out) == [{"run_id": run_id, "flow_slug": "add", "status": "started"}]
    finish(conn, fails=True)
    assert pgflow("runs", "watch", run_id).code == 1


def test_what_cannot_be_changed_is_told_and_the_rest_is(pgflow: InProcess, conn: Any, flows: None):
    done = start(pgflow, "add", "1")
    finish(conn)
    live, missing = start(pgflow, "add", "2"), str(uuid4())
    cancelled = pgflow("runs", "cancel", done, missing, live)
    assert cancelled.code == 1
    assert f"run {done} had completed before" in cancelled.err
    assert f"run {missing} does not exist" in cancelled.err
    assert f"run {live} of add: cancelled" in cancelled.out
    retried = pgflow("runs", "retry", done)
    assert (retried.code, retried.out) == (1, "")
    assert "is completed, there is nothing to retry" in retried.err
    wrong = pgflow("runs", "restart", live, "--from", "later")
    assert wrong.code == 1
    assert "flow add has no step later" in wrong.err
    assert pgflow("runs", "watch", live, "--after", "nonsense").code == 1
    assert pgflow("runs", "show", "seven").code == 2
