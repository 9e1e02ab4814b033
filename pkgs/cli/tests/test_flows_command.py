"""`pgflow flows`, and a deploy with worker processes of old and new code side by side."""

import json
import signal
from collections.abc import Callable
from typing import Any

from tests.support import until

from .conftest import PATIENCE, Command, StartWorker

Write = Callable[[str, str], None]

OLD = """
import asyncio
from pathlib import Path
from pgflow_dsl import Flow

flow = Flow("shop", input=int)

@flow.step
async def pay(number: int = flow.input) -> int:
    while not Path("go").exists():
        await asyncio.sleep(0.01)
    return number

@flow.step
async def ship(number: int = pay.output) -> str:
    return f"shipped {number}"
"""
NEW = """
from pgflow_dsl import Flow

flow = Flow("shop", input=int)

@flow.step
async def pay(number: int = flow.input) -> int:
    return number

@flow.step
async def pack(number: int = pay.output) -> int:
    return number

@flow.step
async def ship(number: int = pack.output) -> str:
    return f"packed and shipped {number}"
"""


def runs(conn: Any) -> list[tuple[Any, ...]]:
    found = conn.execute("select flow_slug, status, output from pgflow.runs order by run_id")
    return list(found.fetchall())


def test_a_rolling_deploy_ends_old_runs_on_the_old_shape_and_new_ones_on_the_new(
    pgflow: Command, worker: StartWorker, write: Write, conn: Any
):
    write("old.py", OLD)
    write("new.py", NEW)
    old = worker("old:flow")
    assert pgflow("start", "shop", "1").code == 0
    held = "select count(*) from pgflow.step_tasks where status = 'started'"
    until(lambda: conn.execute(held).fetchone() == (1,), PATIENCE)
    new = worker("new:flow")
    assert pgflow("start", "shop", "2").code == 0
    until(lambda: [run[1] for run in runs(conn)] == ["started", "completed"], PATIENCE)
    # One of the old workers is replaced before all of them are.
    again = worker("old:flow")
    until(lambda: again.has_logged("new runs take version 2"), PATIENCE)
    old.signal(signal.SIGTERM)
    write("go", "")
    assert old.code() == 0
    until(lambda: [run[1] for run in runs(conn)] == ["completed"] * 2, PATIENCE)
    assert runs(conn) == [
        ("shop", "completed", {"ship": "shipped 1"}),
        ("shop@2", "completed", {"ship": "packed and shipped 2"}),
    ]
    assert new.has_logged("new runs of flow shop take version 2")
    assert conn.execute("select count(*) from pgflow.flows").fetchone() == (2,)


def versions(pgflow: Command) -> dict[int, dict[str, Any]]:
    found = json.loads(pgflow("flows", "versions", "shop", "--json").out)
    return {each["version"]: each for each in found}


def define(pgflow: Command, write: Write, conn: Any) -> None:
    write("old.py", OLD)
    write("new.py", NEW)
    for target in ("old:flow", "new:flow", "new:flow"):
        conn.execute(pgflow("compile", target).out)


def test_compiled_sql_of_a_changed_flow_makes_a_version_once(
    pgflow: Command, write: Write, conn: Any
):
    define(pgflow, write, conn)
    assert [each["is_current"] for each in versions(pgflow).values()] == [True, False]


def test_versions_are_shown_with_the_runs_that_nobody_serves(
    pgflow: Command, write: Write, conn: Any
):
    write("old.py", OLD)
    conn.execute(pgflow("compile", "old:flow").out)
    pgflow("start", "shop", "1")
    define(pgflow, write, conn)
    shown = pgflow("flows", "versions", "shop").out.splitlines()
    assert [line.split()[:6] for line in shown[1:3]] == [
        ["shop", "2", "current", "3", "0", "0"],
        ["shop", "1", "superseded", "2", "1", "0"],
    ]
    unserved = "No worker serves version 1 of shop: 1 run waits."
    assert shown[3] == unserved
    assert unserved in pgflow("workers").out
    listed = json.loads(pgflow("flows", "list", "--json").out)
    assert [(each["flow"], each["version"]) for each in listed] == [("shop", 2)]
    unknown = pgflow("flows", "versions", "ghost")
    assert unknown.code == 1
    assert "flow ghost does not exist" in unknown.err


def test_whoever_starts_a_run_is_told_where_its_version_is_not_served(
    pgflow: Command, worker: StartWorker, write: Write, conn: Any
):
    define(pgflow, write, conn)
    worker("old:flow")
    waits = "No worker serves shop now"
    assert waits in pgflow("start", "shop", "1").err
    assert waits not in pgflow("start", "shop@1", "1").err
    worker("new:flow")
    assert waits not in pgflow("start", "shop", "1").err


def test_versions_are_compared_with_each_other_and_with_the_code(
    pgflow: Command, write: Write, conn: Any
):
    define(pgflow, write, conn)
    there = ["step 'pack' is new", "step 'ship': the dependencies were pay and are now pack"]
    shown = pgflow("flows", "diff", "shop")
    assert (shown.code, shown.out.splitlines()) == (3, there)
    assert pgflow("flows", "diff", "shop", "1", "2").out == shown.out
    back = json.loads(pgflow("flows", "diff", "old:flow", "--json").out)
    assert back == {"flow": "shop", "differences": [], "types": [], "version": 1}
    reverted = pgflow("flows", "diff", "old:flow")
    assert reverted.code == 0
    assert "that of version 1 of shop, and new runs take another" in reverted.out
    gone = pgflow("flows", "diff", "old:flow", "2")
    assert (gone.code, gone.out.splitlines()[0]) == (3, "step 'pack' is gone")
    write("typed.py", NEW.replace("number: int", "number: str").replace("-> int", "-> str"))
    typed = pgflow("flows", "diff", "typed:flow")
    assert typed.code == 3
    assert typed.out.startswith(
        "The structure is the same, but the types of the output of step 'pay', "
        "the output of step 'pack' changed.\n"
    )
    same = pgflow("flows", "diff", "old:flow", "1")
    assert (same.code, same.out) == (0, "The structure is the same.\n")
    assert pgflow("flows", "diff", "shop", "1", "3").code == 1
    unknown = pgflow("flows", "diff", "ghost")
    assert (unknown.code, unknown.out) == (1, "")
    assert "flow ghost does not exist" in unknown.err
    assert pgflow("flows", "diff", "old:flow", "1", "2").code == 2


def test_a_version_is_retired_and_put_to_use_again(pgflow: Command, write: Write, conn: Any):
    write("old.py", OLD)
    conn.execute(pgflow("compile", "old:flow").out)
    pgflow("start", "shop", "1")
    define(pgflow, write, conn)
    refused = pgflow("flows", "retire", "shop", "1")
    assert refused.code == 1
    assert "1 run that has not ended" in refused.err
    assert "1 of its runs was cancelled" in pgflow("flows", "retire", "shop", "1", "--cancel").out
    assert versions(pgflow)[1]["retired_at"] is not None
    assert pgflow("flows", "use", "shop", "1").out == (
        "New runs of shop take version 1.\nNo worker serves it now: start one with its code.\n"
    )
    assert [each["is_current"] for each in versions(pgflow).values()] == [False, True]
    pgflow("flows", "use", "shop", "2")
    pgflow("flows", "retire", "shop", "1")
    conn.execute("select pgflow.register_worker(gen_random_uuid(), array['shop'], 'old')")
    shown = pgflow("workers").out
    assert "old serves version 1 of shop, which is retired, and no other of that flow." in shown
    retired = pgflow("start", "shop@1", "1").err
    assert "version 1 of flow shop is retired" in retired
    assert "start the flow by its name alone" in retired
    pgflow("flows", "use", "shop", "1")
    gone = json.loads(pgflow("flows", "retire", "shop", "2", "--json").out)
    assert gone == {"flow": "shop", "version": 2, "cancelled": 0}


def test_a_run_is_restarted_as_another_version(
    pgflow: Command, worker: StartWorker, write: Write, conn: Any
):
    define(pgflow, write, conn)
    run_id = str(conn.execute("select run_id from pgflow.start_flow('shop@2', '1')").fetchone()[0])
    missing = pgflow("runs", "restart", run_id, "--from", "pack", "--version", "1")
    assert "version 1 of flow shop has no step pack" in missing.err
    moved = pgflow("runs", "restart", run_id, "--from", "ship", "--version", "1", "--json")
    assert moved.code == 0
    assert json.loads(moved.out)[0]["flow_slug"] == "shop"
    assert runs(conn)[0][0] == "shop"


def test_doctor_names_the_version_that_nobody_serves(
    pgflow: Command, worker: StartWorker, write: Write, conn: Any
):
    define(pgflow, write, conn)
    worker("new:flow")
    pgflow("start", "shop@1", "1")
    assert "1 task of version 1 of shop waits for a worker" in pgflow("doctor").out
