"""What the pages read: as it is now, as it changes, and with words where something is wrong."""

import json
import time
from itertools import islice
from typing import Any
from uuid import uuid4

import psycopg
from pgflow_dsl import Flow

from .conftest import Flows, OpenSite, Site


def test_pages_are_served_whatever_their_place(site: Site):
    for path in ("/", "/flows", "/flows/greet", "/runs", f"/runs/{uuid4()}", "/workers"):
        page = site.ask(path)
        assert page.status == 200
        assert "/assets/js/main.js" in page.body
    assert site.ask("/nowhere").status == 404
    assert site.ask("/api/flows/%00").status == 400


def test_a_run_is_followed_from_its_start_to_its_end(site: Site, flows: Flows):
    run_id = flows.start("greet", "Ada", {"team": "red"})
    stream = site.follow(f"/api/live/runs/{run_id}")
    state = next(stream)
    assert state["summary"]["tags"] == {"team": "red"}
    assert state["progress"]["status"] == "started"
    flows.claim("greet")
    flows.complete(run_id, "hello", "hi")
    for changed in stream:
        state |= changed
        told = [event["event"] for event in state["events"]]
        if state["progress"]["status"] == "completed" and told[-1:] == ["RunEnded"]:
            break
    stream.close()
    assert state["sizes"]["output"] > 0
    assert state["tasks"][0]["status"] == "completed"
    assert told[0] == "RunStarted"


def test_a_run_that_is_not_there_is_told_as_such(site: Site, flows: Flows):
    for run_id in (uuid4(), "nonsense"):
        answer = site.ask(f"/api/runs/{run_id}/value?kind=run_input")
        assert (answer.status, answer.value["error"]["kind"]) == (404, "RunNotFound")
    state = site.state(f"/api/live/runs/{uuid4()}", lambda state: state.get("problem"))
    assert state["problem"]["kind"] == "RunNotFound"


def test_flows_are_listed_with_how_they_fare(site: Site, flows: Flows):
    run_id = flows.start("greet", "Ada")
    flows.claim("greet")
    flows.start("greet", "Bob")
    flows.fail(run_id, "hello", "no")
    state = next(site.follow("/api/live/flows"))
    (listed,) = state["flows"]
    assert listed["flow"]["failed"] == 1
    assert listed["flow"]["started"] == 1
    assert listed["queue"]["ready"] == 1
    of_flow = next(site.follow("/api/live/flows/greet"))
    assert of_flow["definition"]["steps"][0]["step_slug"] == "hello"
    assert next(site.follow("/api/live/flows/nothing"))["definition"] is None


def test_runs_are_listed_and_filtered(site: Site, flows: Flows):
    red = flows.start("greet", "Ada", {"team": "red", "urgent": True})
    blue = flows.start("greet", "Bob", {"team": "blue"})

    def listed(query: str) -> list[str]:
        return [run["run_id"] for run in site.ask(f"/api/runs?{query}").value["runs"]]

    newest_first = sorted([red, blue], reverse=True)
    assert listed("") == newest_first
    assert listed("tag=team%3Dred") == [red]
    assert listed("tag=urgent%3Dtrue&tag=team%3Dred") == [red]
    assert listed("status=failed") == []
    assert listed("flow=greet&since=15m") == newest_first
    assert listed(f"before={newest_first[0]}") == newest_first[1:]
    assert listed("until=2001-01-01") == []
    first = next(site.follow("/api/live/runs?tag=team%3Dblue"))
    assert [run["run_id"] for run in first["runs"]["runs"]] == [blue]


def test_what_makes_no_sense_is_refused_in_words(site: Site, flows: Flows):
    run_id = flows.start("greet", "Ada")
    for path in (
        "/api/runs?status=weird",
        "/api/runs?tag=novalue",
        "/api/runs?since=yesterday",
        "/api/runs?before=7",
        "/api/live/runs?status=weird",
        f"/api/runs/{run_id}/value?kind=password",
        f"/api/runs/{run_id}/value?kind=task_input&step=hello&index=99999999999",
        f"/api/runs/{run_id}/steps/hello/tasks?after=x",
    ):
        answer = site.ask(path)
        assert (answer.status, answer.value["error"]["kind"]) == (400, "QueryInvalid"), path
        assert answer.value["error"]["message"]


def test_values_come_as_the_database_wrote_them(site: Site, flows: Flows):
    run_id = flows.start("greet", {"big": 12345678901234567890123, "text": "<b>"})
    path = f"/api/runs/{run_id}/value?kind=run_input"
    text = site.ask(path).value["text"]
    assert "12345678901234567890123" in text
    saved = site.ask(f"{path}&save=1")
    assert saved.headers["content-disposition"].startswith("attachment")
    assert json.loads(saved.body)["text"] == "<b>"


def test_a_large_value_is_saved_and_not_shown(site: Site, flows: Flows):
    run_id = flows.start("greet", [str(uuid4()) for _ in range(20_000)])
    path = f"/api/runs/{run_id}/value?kind=run_input"
    shown = site.ask(path).value
    assert shown["size"] > 500_000
    assert shown["text"] is None
    assert len(json.loads(site.ask(f"{path}&save=1").body)) == 20_000


def test_numbers_that_few_programs_read_break_no_page(site: Site, flows: Flows):
    tags = f'{{"far": 1e400, "long": {"1" * 5000}, "small": 1e-400}}'
    flows.conn.execute("select pgflow.start_flow('greet', '1', tags => %s)", (tags,))
    run = site.ask("/api/runs").value["runs"][0]
    assert run["tags"] == {"far": 10**400, "long": "1" * 5000, "small": 0.0}


def test_workers_queue_and_health_come_together(site: Site, flows: Flows):
    flows.conn.execute(
        "select pgflow.register_worker(%s, array['greet'], 'box:1')", (str(uuid4()),)
    )
    flows.start("greet", "Ada")
    state = site.state("/api/live/workers", lambda state: len(state["history"]) > 0)
    assert state["workers"][0]["worker"]["place"] == "box:1"
    assert state["queues"][0]["ready"] == 1
    assert state["health"]["server"]["max_connections"] > 0


def test_runs_start_with_checked_input(open_site: OpenSite, flows: Flows):
    site = open_site(may_act=True)
    path = "/api/flows/greet/runs"
    big = "12345678901234567890123"
    started = site.act(path, {"input": big, "priority": 3})
    assert started.status == 201
    row = flows.conn.execute("select run_id::text, input::text, priority from pgflow.runs")
    assert row.fetchone() == (started.value["run_id"], big, 3)
    for body in (
        {"input": 1},
        {"input": "{"},
        {"input": "NaN"},
        {"input": "1", "priority": 99999},
        {"input": "1", "priority": True},
        [],
        "{",
    ):
        assert site.act(path, body).status in (400, 422), body
    assert site.act("/api/flows/nothing/runs", {"input": "1"}).status == 404


def test_runs_are_cancelled_retried_and_restarted(open_site: OpenSite, flows: Flows):
    site = open_site(may_act=True)
    run_id = flows.start("greet", "Ada")
    path = f"/api/runs/{run_id}"
    assert site.act(f"{path}/cancel", {"reason": "by mistake"}).value == {"status": "cancelled"}
    row = flows.conn.execute("select error_message from pgflow.runs").fetchone()
    assert row == ("by mistake",)
    assert site.act(f"{path}/retry").value == {"status": "started"}
    flows.claim("greet")
    flows.complete(run_id, "hello", "hi")
    refused = site.act(f"{path}/retry")
    assert (refused.status, refused.value["error"]["kind"]) == (409, "RunCompleted")
    assert site.act(f"{path}/restart", {"step": "hello"}).value == {"status": "started"}
    for step in ("nothing", "", None, 7, "x" * 1000):
        assert site.act(f"{path}/restart", {"step": step}).status in (400, 404), step
    assert site.act(f"/api/runs/{uuid4()}/cancel").status == 404


def test_many_viewers_cost_the_database_what_one_does(site: Site, flows: Flows):
    run_id = flows.start("greet", "Ada")
    streams = [site.follow(f"/api/live/runs/{run_id}") for _ in range(50)]
    for stream in streams:
        assert next(stream)["progress"]["status"] == "started"
    sql = """
        select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'pgflow-client'
    """
    row = flows.conn.execute(sql).fetchone()
    flows.claim("greet")
    flows.fail(run_id, "hello", "no")
    for stream in streams:
        assert any(
            changed.get("progress", {}).get("status") == "failed" for changed in islice(stream, 20)
        )
        stream.close()
    assert row is not None
    assert row[0] <= 7


def test_a_database_that_is_gone_is_told_and_found_again(
    open_site: OpenSite, flows: Flows, db: str
):
    site = open_site()
    stream = site.follow("/api/live/flows")
    assert next(stream)["problem"] is None
    flows.conn.execute("alter table pgflow.flows rename to hidden")
    problem = next(changed for changed in stream if changed.get("problem"))["problem"]
    assert "flows" in problem["message"]
    flows.conn.execute("alter table pgflow.hidden rename to flows")
    assert next(changed for changed in stream if "problem" in changed)["problem"] is None
    stream.close()


def test_a_database_that_cannot_be_reached_is_told(open_site: OpenSite):
    site = open_site(url="postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2")
    answer = site.ask("/api/runs")
    assert (answer.status, answer.value["error"]["kind"]) == (503, "DatabaseUnreachable")


def test_streams_end_at_once_when_the_server_ends(open_site: OpenSite, flows: Flows):
    site = open_site()
    stream = site.follow("/api/live/flows")
    next(stream)
    site.end()
    began = time.monotonic()
    assert list(stream) is not None
    assert time.monotonic() - began < 15


def test_schemas_and_conditions_reach_the_page(site: Site, flows: Flows):
    flow = Flow("choosy", input=dict[str, int])

    @flow.step(when={flow: {"go": 1}}, when_unmet="fail")
    def only(numbers: dict[str, int] = flow.input) -> int:
        return 1

    flows.define(flow)
    (step,) = site.ask("/api/flows/choosy").value["steps"]
    assert step["condition"]["required"] == {"go": 1}
    assert step["condition"]["when_unmet"] == "fail"


def test_a_reader_sees_and_may_not_act(open_site: OpenSite, flows: Flows, db: str):
    role = f"reader_{uuid4().hex[:8]}"
    flows.conn.execute(f"create role {role} login in role pgflow_reader")
    try:
        site = open_site(url=db.replace("//postgres@", f"//{role}@"), may_act=True)
        flows.start("greet", "Ada")
        assert len(site.ask("/api/runs").value["runs"]) == 1
        refused = site.act("/api/flows/greet/runs", {"input": "1"})
        assert (refused.status, refused.value["error"]["kind"]) == (403, "PermissionRefused")
    finally:
        with psycopg.connect(db, autocommit=True) as conn:
            conn.execute(f"drop role {role}")


def test_what_a_step_emits_comes_in_blocks_of_which_only_the_last_changes(site: Site, flows: Flows):
    run_id = flows.start("greet", "Ada")
    flows.claim("greet")
    flows.emit(run_id, "hello", 1, list(range(150)))
    stream = site.follow(f"/api/live/runs/{run_id}/steps/hello/items")
    state: dict[str, Any] = {}
    for changed in stream:
        state |= changed
        if len(state.get("block 1", ())) == 50:
            break
    flows.emit(run_id, "hello", 151, ["x" * 50_000])
    news = next(changed for changed in stream if "block 1" in changed)
    stream.close()

    assert state["blocks"] == ["block 0", "block 1"]
    values = [item["value"] for name in state["blocks"] for item in state[name]]
    assert values == list(range(150))
    assert "block 0" not in news
    last = news["block 1"][-1]
    assert last["value"] is None
    assert len(last["cut"]) < 20_000
    assert next(site.follow(f"/api/live/runs/{run_id}"))["streams"] == ["hello"]
