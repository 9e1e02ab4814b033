"""ensure_flow_compiled: a flow's code and its definition in the database are brought together."""

from typing import Any

import psycopg
import pytest
from core_sql_support import Engine
from psycopg.types.json import Jsonb


def shape(*steps: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"flow_slug": "site", "options": options, "inputSchema": {}, "steps": list(steps)}


def ensure(pg: Engine, code: Any, *, allow_data_loss: bool = False) -> tuple[str, list[str]]:
    answer = pg.value(
        "select pgflow.ensure_flow_compiled('site', %s, %s)", Jsonb(code), allow_data_loss
    )
    return answer["status"], answer["differences"]


A = {"slug": "a"}
B = {"slug": "b", "dependencies": ["a"]}
FULL = {
    "slug": "c",
    "stepType": "map",
    "dependencies": ["a", "b"],
    "after": ["b"],
    "mapOver": "a",
    "takesFlowInput": True,
    "whenUnmet": "fail",
    "whenExhausted": "skip",
    "requiredInputPattern": {"defined": True, "value": {"a": []}},
    "forbiddenInputPattern": {"defined": False},
    "options": {
        "maxAttempts": 1,
        "baseDelay": 2,
        "timeout": 3,
        "startDelay": 4,
        "maxDelay": 5,
        "jitter": 0.5,
        "backoff": "fixed",
    },
    "outputSchema": {"type": "string"},
}


def test_a_flow_that_is_not_there_is_compiled_with_all_its_shape_says(pg: Engine):
    assert ensure(pg, shape(A, B, FULL, maxAttempts=9, backoff="fixed")) == ("compiled", [])
    assert pg.row("select opt_max_attempts, opt_backoff from pgflow.flows") == (9, "fixed")
    assert pg.row(
        """
        select step_type, map_over, takes_flow_input, when_unmet, when_exhausted,
          required_input_pattern, forbidden_input_pattern, opt_max_attempts, opt_base_delay,
          opt_timeout, opt_start_delay, opt_max_delay, opt_jitter, opt_backoff, output_schema
        from pgflow.steps where step_slug = 'c'
        """
    ) == (
        *("map", "a", True, "fail", "skip", {"a": []}, None),
        *(1, 2, 3, 4, 5, 0.5, "fixed", {"type": "string"}),
    )
    assert pg.rows(
        "select dep_slug, orders_only from pgflow.deps where step_slug = 'c' order by 1"
    ) == [("a", False), ("b", True)]


def test_the_same_shape_is_verified_whatever_the_order_of_dependencies(pg: Engine):
    ensure(pg, shape(A, B, FULL))
    other = FULL | {"dependencies": ["b", "a"]}
    assert ensure(pg, shape(A, B, other)) == ("verified", [])


def test_options_and_schemas_are_brought_up_to_date_and_told(pg: Engine):
    ensure(pg, shape(A | {"options": {"timeout": 5}}))
    changed = A | {"options": {"maxAttempts": 2}, "outputSchema": {"type": "array"}}
    assert ensure(pg, shape(changed, timeout=7)) == ("verified", [])
    assert pg.row("select opt_timeout, opt_max_attempts, output_schema from pgflow.steps") == (
        None,
        2,
        {"type": "array"},
    )
    assert pg.value("select opt_timeout from pgflow.flows") == 7
    other, again = shape(changed | {"outputSchema": None}, timeout=8), shape(changed, timeout=8)
    query = "select pgflow.ensure_flow_compiled('site', %s) -> 'updates'"
    assert pg.value(query, Jsonb(other)) == [
        "output_schema of step a is another",
        "timeout of the flow is 8 and was 7",
    ]
    assert len(pg.value(query, Jsonb(again))) == 1
    assert pg.value(query, Jsonb(again)) == []


@pytest.mark.parametrize(
    "left_out",
    [
        {"slug": "m", "stepType": "map", "dependencies": ["b"]},
        {"slug": "m", "stepType": "map", "dependencies": ["a", "b"], "after": ["a"]},
        {"slug": "m", "stepType": "map", "dependencies": ["a"], "after": ["a"]},
        {"slug": "m", "stepType": "map", "dependencies": None, "mapOver": None, "after": None},
        {"slug": "m", "requiredInputPattern": None, "forbiddenInputPattern": None},
        {"slug": "m", "whenUnmet": None, "whenExhausted": None, "stepType": None, "options": None},
    ],
    ids=str,
)
def test_fields_that_are_left_out_or_null_have_their_defaults(pg: Engine, left_out: dict[str, Any]):
    ensure(pg, shape(A, B, left_out))
    assert ensure(pg, shape(A, B, left_out)) == ("verified", [])


@pytest.mark.parametrize(
    ("code", "sentences"),
    [
        ((A,), ["step b at place 1 is gone"]),
        ((A, B, {"slug": "c"}), ["step c is new at place 2"]),
        (
            (A, {"slug": "b"}),
            ['step b at place 1: dependencies is [] in code and ["a"] in the database'],
        ),
        (
            (A, B | {"slug": "x"}),
            ['step b at place 1: slug is "x" in code and "b" in the database'],
        ),
        (
            (A, B | {"whenUnmet": "fail", "whenExhausted": "skip"}),
            [
                'step b at place 1: whenExhausted is "skip" in code and "fail" in the database',
                'step b at place 1: whenUnmet is "fail" in code and "skip" in the database',
            ],
        ),
        (
            (A, B | {"requiredInputPattern": {"defined": True, "value": {}}}),
            [
                'step b at place 1: requiredInputPattern is {"value": {}, "defined": true} in code'
                ' and {"defined": false} in the database'
            ],
        ),
        (
            (A, B | {"after": ["a"]}),
            ['step b at place 1: after is ["a"] in code and [] in the database'],
        ),
        (
            (A, B | {"stepType": "map"}),
            [
                'step b at place 1: mapOver is "a" in code and null in the database',
                'step b at place 1: stepType is "map" in code and "single" in the database',
            ],
        ),
    ],
    ids=str,
)
def test_a_changed_structure_is_told_in_sentences_and_changes_nothing(
    pg: Engine, code: tuple[dict[str, Any], ...], sentences: list[str]
):
    ensure(pg, shape(A, B))
    assert ensure(pg, shape(*code, timeout=9)) == ("mismatch", sentences)
    assert pg.value("select opt_timeout from pgflow.flows") == 60
    assert pg.column("select step_slug from pgflow.steps order by step_index") == ["a", "b"]


def test_a_changed_structure_is_made_anew_where_data_may_be_lost(pg: Engine):
    ensure(pg, shape(A, B))
    pg.start("site")
    status, differences = ensure(pg, shape(A), allow_data_loss=True)
    assert (status, differences) == ("recompiled", ["step b at place 1 is gone"])
    assert pg.value("select count(*) from pgflow.runs") == 0
    assert pg.column("select step_slug from pgflow.steps") == ["a"]


def test_who_makes_a_flow_anew_is_told_how_many_runs_under_way_went_with_it(pg: Engine):
    ensure(pg, shape(A, B))
    done = pg.start_many("site", [1, 2, 3])[0]
    pg.call("cancel_run", done)
    asked = ("site", Jsonb(shape(A)), True)
    assert pg.call("ensure_flow_compiled", *asked)["open_runs"] == 2
    assert "open_runs" not in pg.call("ensure_flow_compiled", *asked)


def test_a_shape_that_is_the_same_never_loses_data(pg: Engine):
    ensure(pg, shape(A, B))
    run_id = pg.start("site")
    assert ensure(pg, shape(A, B), allow_data_loss=True) == ("verified", [])
    assert pg.run(run_id, "status") == "started"


def test_a_misspelt_key_is_named(pg: Engine):
    with pytest.raises(psycopg.errors.Error, match="step b has no deps"):
        ensure(pg, shape(A, {"slug": "b", "deps": ["a"]}))


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (None, "PF005"),
        ({}, "PF005"),
        ({"steps": {}}, "PF005"),
        (shape({"slug": "not a slug"}), "PF004"),
        (shape({}), "PF004"),
        (shape(A | {"options": {"timeout": "soon"}}), "PF005"),
        (shape(A | {"dependencies": {"b": 1}}), "PF005"),
        (shape(A | {"dependencies": ["ghost"]}), "PF003"),
        (shape(A, A | {"dependencies": ["a"]}), "PF005"),
        (shape(A, {"slug": "b", "deps": ["a"]}), "PF005"),
        (shape(A | {"options": {"max_attempts": 1}}), "PF005"),
        (shape(A, startDelay=1), "PF005"),
        (shape(A) | {"input_schema": {}}, "PF005"),
    ],
    ids=str,
)
def test_what_is_no_shape_is_refused_and_leaves_nothing_behind(pg: Engine, code: Any, state: str):
    with pytest.raises(psycopg.errors.Error) as refused:
        ensure(pg, code)
    assert refused.value.sqlstate == state
    assert refused.value.diag.message_detail
    assert pg.value("select count(*) from pgflow.flows") == 0


ODD_SHAPES = [
    (A, B | {"dependencies": ["a", "a"]}),
    (A, {"slug": "b", "after": ["a"]}),
    (A, B | {"dependencies": ["a", "a"], "after": ["a", "a"]}),
    (A, {"slug": "m", "stepType": "map", "dependencies": ["a", "a"]}),
]


@pytest.mark.parametrize("steps", ODD_SHAPES, ids=str)
def test_a_shape_that_says_things_twice_is_the_same_flow_again(pg: Engine, steps: Any):
    code = shape(*steps)
    assert ensure(pg, code) == ("compiled", [])
    assert ensure(pg, code) == ("verified", [])
    assert pg.call("use_flow_shape", "site", Jsonb(code))["status"] == "verified"


REFUSED_SHAPES = [
    (A | {"requiredInputPattern": {"defined": True}},),
    (A | {"requiredInputPattern": {"defined": False, "value": {"a": 1}}},),
    (A | {"forbiddenInputPattern": {"a": 1}},),
    (A | {"forbiddenInputPattern": {}},),
    (A | {"requiredInputPattern": {"defined": True, "value": {"a": 1}, "more": 1}},),
    (A, A),
]


@pytest.mark.parametrize("steps", REFUSED_SHAPES, ids=str)
def test_a_shape_that_would_be_saved_as_another_is_refused(pg: Engine, steps: Any):
    with pytest.raises(psycopg.Error) as raised:
        ensure(pg, shape(*steps))
    assert raised.value.sqlstate == "PF005"
    assert "cannot be saved as it is" in str(raised.value)
    assert pg.value("select count(*) from pgflow.flows") == 0
