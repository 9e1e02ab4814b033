"""Going on with a run as another version of its flow."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from core_sql_support import Engine
from psycopg.types.json import Jsonb

A = {"slug": "a"}
B = {"slug": "b", "dependencies": ["a"]}
C = {"slug": "c", "dependencies": ["b"]}


def compile_versions(pg: Engine, *codes: tuple[dict[str, Any], ...]) -> None:
    for code in codes:
        pg.value(
            "select pgflow.ensure_flow_compiled('site', %s, make_version => true)",
            Jsonb({"steps": list(code)}),
        )
    pg.serve("site", *(f"site@{number}" for number in range(2, len(codes) + 1)))


def restart(pg: Engine, run_id: UUID, step: str, version: int | None) -> str:
    return pg.value("select flow_slug from pgflow.restart_run(%s, %s, %s)", run_id, step, version)


def failed_at_b(pg: Engine) -> UUID:
    run_id = pg.start("site@2" if "site@3" in pg.flows else "site")
    pg.complete((pg.claim_one("a"), [1, 2]))
    pg.fail(pg.claim_one("b"), final=True)
    return run_id


def test_what_has_ended_is_kept_and_the_rest_is_the_other_versions(pg: Engine):
    compile_versions(pg, (A, B))
    run_id = failed_at_b(pg)
    new_b = {"slug": "b", "dependencies": ["a", "n"]}
    compile_versions(pg, (A, B), (A, {"slug": "n", "dependencies": ["a"]}, new_b, C))
    assert restart(pg, run_id, "b", 2) == "site@2"
    assert pg.steps(run_id) == {"a": "completed", "n": "started", "b": "created", "c": "created"}
    done = pg.drain({"n": 3, "b": 4, "c": 5})
    assert [(task.flow, task.step, task.input) for task in done] == [
        ("site@2", "n", {"a": [1, 2]}),
        ("site@2", "b", {"a": [1, 2], "n": 3}),
        ("site@2", "c", {"b": 4}),
    ]
    assert pg.run(run_id) == ("completed", 0, {"c": 5})
    for table in ("runs", "step_states", "step_tasks"):
        assert pg.column(f"select distinct flow_slug from pgflow.{table}") == ["site@2"]


def test_a_step_that_the_version_has_more_can_be_where_it_goes_on(pg: Engine):
    compile_versions(pg, (A,))
    run_id = pg.start("site")
    pg.drain()
    compile_versions(pg, (A,), (A, B))
    assert restart(pg, run_id, "b", 2) == "site@2"
    assert [task.step for task in pg.drain()] == ["b"]
    assert pg.run(run_id) == ("completed", 0, {"b": 1})


def test_a_step_that_the_version_has_not_goes_unless_it_has_ended(pg: Engine):
    compile_versions(pg, (A, B, C))
    run_id = failed_at_b(pg)
    compile_versions(pg, (A, B, C), (A, {"slug": "d", "dependencies": ["a"]}))
    assert restart(pg, run_id, "d", 2) == "site@2"
    assert pg.steps(run_id) == {"a": "completed", "d": "started"}
    pg.drain()
    with pytest.raises(psycopg.errors.Error) as raised:
        restart(pg, run_id, "b", 1)
    assert raised.value.sqlstate == "PF018"
    assert raised.value.diag.message_primary == (
        f"run {run_id} of flow site@2 cannot go on as site: it has no step d"
    )
    assert "let it end on its own version" in (raised.value.diag.message_hint or "")
    # It depended on a, and goes where that is repeated.
    assert restart(pg, run_id, "a", 1) == "site"
    assert pg.steps(run_id) == {"a": "started", "b": "created", "c": "created"}


MISFITS = [
    ({"slug": "b", "dependencies": []}, 'dependencies of step b was ["a"] and is []'),
    ({"slug": "b", "dependencies": ["a"], "stepType": "map"}, None),
]


@pytest.mark.parametrize(("changed", "sentence"), MISFITS, ids=["dependencies", "type"])
def test_a_step_that_has_ended_and_is_another_there_is_told_and_nothing_changes(
    pg: Engine, changed: dict[str, Any], sentence: str | None
):
    compile_versions(pg, (A, B, C))
    run_id = pg.start("site")
    pg.drain({"a": [1]})
    before = pg.rows("select * from pgflow.step_states order by step_slug")
    compile_versions(pg, (A, B, C), (A, changed, C))
    with pytest.raises(psycopg.errors.Error) as raised:
        restart(pg, run_id, "c", 2)
    assert raised.value.sqlstate == "PF018"
    told = sentence or (
        'type of step b was "single" and is "map"; array to map over of step b was null and is "a"'
    )
    assert sorted(told.split("; ")) == sorted(
        (raised.value.diag.message_primary or "").split(": ", 1)[1].split("; ")
    )
    assert pg.rows("select * from pgflow.step_states order by step_slug") == before
    # Repeated, it need not be the same.
    assert restart(pg, run_id, "b", 2) == "site@2"


NO_ARRAYS = [
    ({"slug": "m", "stepType": "map"}, "its step m maps over the flow input, which is no array"),
    (
        {"slug": "m", "stepType": "map", "dependencies": ["a"]},
        "its step m maps over the output of a, which is no array",
    ),
]


@pytest.mark.parametrize(("added", "sentence"), NO_ARRAYS, ids=["input", "output"])
def test_a_map_of_the_version_over_what_is_there_needs_an_array(
    pg: Engine, added: dict[str, Any], sentence: str
):
    compile_versions(pg, (A, B))
    run_id = pg.start("site")
    pg.drain()
    compile_versions(pg, (A, B), (A, B, added))
    with pytest.raises(psycopg.errors.Error) as raised:
        restart(pg, run_id, "b", 2)
    assert raised.value.sqlstate == "PF018"
    assert (raised.value.diag.message_primary or "").endswith(f"cannot go on as site@2: {sentence}")
    assert pg.run(run_id, "status") == "completed"


def test_a_map_of_the_version_may_be_over_what_is_repeated(pg: Engine):
    compile_versions(pg, (A,))
    run_id = pg.start("site")
    pg.drain()
    compile_versions(pg, (A,), (A, {"slug": "m", "stepType": "map", "dependencies": ["a"]}))
    assert restart(pg, run_id, "a", 2) == "site@2"
    pg.drain({"a": [1, 2], "m": 5})
    assert pg.run(run_id) == ("completed", 0, {"m": [5, 5]})


def test_what_is_under_way_elsewhere_starts_afresh_and_its_attempt_is_fenced(pg: Engine):
    side = {"slug": "side"}
    compile_versions(pg, (A, B, side))
    run_id = pg.start("site")
    first = {task.step: task for task in pg.claim()}
    pg.complete((first["a"], 1))
    compile_versions(pg, (A, B, side), (A, B, side | {"whenExhausted": "skip"}))
    restart(pg, run_id, "b", 2)
    assert [refusal.reason for refusal in pg.complete((first["side"], 1))] != []
    assert sorted(task.step for task in pg.claim()) == ["b", "side"]


def test_without_a_version_a_run_keeps_the_one_it_has(pg: Engine):
    compile_versions(pg, (A, B))
    run_id = failed_at_b(pg)
    compile_versions(pg, (A, B), (A,))
    assert restart(pg, run_id, "b", None) == "site"
    assert restart(pg, run_id, "b", 1) == "site"
    pg.drain()
    assert pg.run(run_id, "status") == "completed"


@pytest.mark.parametrize(
    ("step", "version", "state"), [("b", 3, "PF001"), ("ghost", 2, "PF003"), ("a", 1, "PF016")]
)
def test_it_takes_a_version_that_is_in_use_and_has_the_step(
    pg: Engine, step: str, version: int, state: str
):
    compile_versions(pg, (A,), (A, B))
    run_id = pg.start("site")
    pg.drain()
    pg.call("retire_flow_version", "site", 1)
    with pytest.raises(psycopg.errors.Error) as raised:
        restart(pg, run_id, step, version)
    assert raised.value.sqlstate == state


def test_a_run_leaves_a_retired_version(pg: Engine):
    compile_versions(pg, (A, B))
    run_id = failed_at_b(pg)
    compile_versions(pg, (A, B), (A, B, C))
    pg.call("retire_flow_version", "site", 1)
    assert restart(pg, run_id, "b", 2) == "site@2"


def test_what_watchers_of_the_run_are_told_begins_with_its_former_life(pg: Engine):
    compile_versions(pg, (A, B))
    run_id = failed_at_b(pg)
    compile_versions(pg, (A, B), (A, C | {"dependencies": ["a"]}))
    restart(pg, run_id, "c", 2)
    [(steps, progress)] = pg.rows("select step_slugs, progress from pgflow.run_reopenings")
    assert steps == ["b"]
    assert progress["flow_slug"] == "site"
    assert [step["step_slug"] for step in progress["steps"]] == ["a", "b"]
    now = pg.call("get_run_progress", run_id)
    assert [step["step_slug"] for step in now["steps"]] == ["a", "c"]
