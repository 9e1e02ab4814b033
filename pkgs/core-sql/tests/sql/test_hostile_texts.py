"""Texts that would be SQL, JSON or patterns, if anything took them for that: data everywhere."""

import json
from typing import Any, Final

import psycopg
import pytest
from core_sql_support import Engine, step

TEXTS: Final = [
    "'; drop schema pgflow cascade; --",
    "$$; select 1/0; $$",
    '"}, {"a": "',
    "%s %I %L %1$s \\ \\u0041 \\n",
    "a\nb\tc\r\x01\x7f\u202e\U0001f600",
    "' || (select 1/0) || '",
    "_%.*[a-z]+$",
]


@pytest.fixture
def site(pg: Engine) -> Engine:
    pg.flow("site", {"a": step(), "b": step("a")}, max_attempts=2, base_delay=0)
    return pg


@pytest.mark.parametrize("text", TEXTS)
def test_inputs_outputs_and_tags_come_back_as_they_were(site: Engine, text: str):
    value: Any = {text: [text, {text: None}]}
    run_id = site.start("site", value, tags=json.dumps({text: text}))
    task = site.claim_one("a")
    assert task.flow_input == value
    site.complete((task, value))
    assert site.claim_one("b").input == {"a": value}
    assert site.step(run_id, "a", "output") == value
    page = site.call("list_runs", tags={text: text})
    assert [run["tags"] for run in page["runs"]] == [{text: text}]
    assert site.call("list_runs", tags={text: text + "x"})["runs"] == []


@pytest.mark.parametrize("text", TEXTS)
def test_errors_and_reasons_come_back_as_they_were(site: Engine, text: str):
    failed, cancelled = site.start("site"), site.start("site")
    tasks = {task.run_id: task for task in site.claim()}
    query = "select status from pgflow.fail_task(%s, 'a', 0, %s, error_type => %s, traceback => %s)"
    site.value(query, failed, text, text, text)
    assert site.row("select error_message, error_type, traceback from pgflow.task_attempts") == (
        text,
        text,
        text,
    )
    site.fail(*site.claim(), message=text, final=True)
    assert site.run(failed, "status, error_message") == ("failed", text)
    assert site.call("get_run_progress", failed)["error_message"] == text
    site.rows("select * from pgflow.cancel_run(%s, %s)", cancelled, text)
    assert site.run(cancelled, "status, error_message") == ("cancelled", text)
    assert [each.reason for each in site.complete((tasks[cancelled], 1))] == ["cancelled"]


@pytest.mark.parametrize("text", TEXTS)
def test_keys_and_conditions_are_taken_to_the_letter(site: Engine, text: str):
    run_id = site.start("site", idempotency_key=text)
    assert site.start("site", idempotency_key=text) == run_id
    assert site.start("site", idempotency_key=text + " ") != run_id
    site.flow("asked", {"a": step(required_input_pattern={text: text})})
    met, unmet = site.start("asked", {text: text}), site.start("asked", {text: text + "."})
    assert (site.step(met, "a"), site.step(unmet, "a")) == ("started", "skipped")


@pytest.mark.parametrize("text", TEXTS)
def test_names_are_refused_and_change_nothing(site: Engine, text: str):
    before = site.rows("select * from pgflow.steps")
    for query, arguments, state in (
        ("create_flow(%s)", [text], "PF004"),
        ("add_step('site', %s)", [text], "PF004"),
        ("add_step('site', 'c', array[%s])", [text], "PF003"),
        ("add_step('site', 'c', map_over => %s, step_type => 'map')", [text], "PF005"),
        ('ensure_flow_compiled(%s, \'{"steps": [{"slug": "a"}]}\')', [text], "PF004"),
        ("start_flow(%s, '1')", [text], "PF001"),
        ("cancel_flow_runs(%s)", [text], "PF001"),
        ("restart_run(%s, %s)", [site.start("site"), text], "PF003"),
        ("configure_worker_functions(%s)", [text], "PF015"),
    ):
        with pytest.raises(psycopg.Error) as raised:
            site.conn.execute(f"select * from pgflow.{query}", arguments)
        assert raised.value.sqlstate == state, query
    assert site.call("list_runs", text, text)["runs"] == []
    assert site.claim(flows=[text]) == []
    assert site.call("delete_flow_and_data", text) == ""
    assert site.rows("select * from pgflow.steps") == before
