"""Which versions of a flow a worker serves: those that its handlers fit."""

from typing import Any

import pytest
from core_sql_support import Engine
from core_sql_support.versions import A, B, C, ensure, shape, two_versions
from psycopg.types.json import Jsonb

YOUNGER = "it was made after the version of this code, and no worker serves versions after its own"
MISFITS = [
    (shape(A, B, C), []),
    (shape({"slug": "z"}, A, B | {"whenUnmet": "fail", "after": []}), []),
    (shape(A, B | {"whenExhausted": "skip"}), []),
    (shape(A), ["the code has no step b"]),
    (
        shape(A, {"slug": "b"}),
        [
            'step b: arguments are [] in code and ["a"] in the version',
            "step b: takes flow input is true in code and false in the version",
        ],
    ),
    (
        shape(A, B | {"after": ["a"]}, C),
        ['step b: arguments are [] in code and ["a"] in the version'],
    ),
    (
        shape(A, B | {"stepType": "map"}),
        ['step b: type is "map" in code and "single" in the version'],
    ),
    (
        shape(A, B | {"takesFlowInput": True}),
        ["step b: takes flow input is true in code and false in the version"],
    ),
    (
        shape(A, B, C) | {"inputSchema": {"type": "integer"}},
        ["the schema of the flow input is another"],
    ),
    (
        shape(A | {"outputSchema": {"type": "integer"}}, B, C),
        ["step a: the schema of its output is another"],
    ),
]


@pytest.mark.parametrize(("code", "misfits"), MISFITS, ids=str)
def test_handlers_fit_an_older_version_that_would_call_them_in_the_same_way(
    pg: Engine, code: Any, misfits: list[str]
):
    old = shape(A | {"outputSchema": {"type": "string"}}, B) | {"inputSchema": {"type": "string"}}
    ensure(pg, old)
    # Another structure in any case, and where the code says nothing of a schema, the same.
    code = {"inputSchema": {"type": "string"}} | code
    code["steps"] = [
        {"outputSchema": {"type": "string"}} | step if step["slug"] == "a" else step
        for step in [*code["steps"], {"slug": "more"}]
    ]
    assert ensure(pg, code)["status"] == "versioned"
    found = pg.rows(
        "select version, misfits from pgflow.match_flow_versions('site', %s) where not is_own",
        Jsonb(code),
    )
    assert found == [(1, misfits)]


def test_an_output_that_may_be_missing_needs_code_that_is_ready_for_it(pg: Engine):
    ensure(pg, shape(A | {"whenExhausted": "skip"}, B))
    code = shape(A, B)
    ensure(pg, code)
    [(misfits,)] = pg.rows(
        "select misfits from pgflow.match_flow_versions('site', %s) where version = 1", Jsonb(code)
    )
    assert misfits == ["step a: output may be missing is null in code and true in the version"]


def test_old_code_serves_its_own_version_alone(pg: Engine):
    ensure(pg, shape(A, B))
    ensure(pg, shape(A))
    assert pg.rows(
        "select version, is_current, is_own, misfits from pgflow.match_flow_versions('site', %s)",
        Jsonb(shape(A, B)),
    ) == [(2, True, False, [YOUNGER]), (1, False, True, [])]


def test_retired_versions_are_served_by_nobody_but_the_code_that_has_no_other(pg: Engine):
    two_versions(pg)
    pg.call("retire_flow_version", "site", 1)
    question = "select version, is_own, is_retired from pgflow.match_flow_versions('site', %s)"
    assert pg.rows(question, Jsonb(shape(A))) == [(2, True, False)]
    assert pg.rows(question, Jsonb(shape(A, B))) == [(2, False, False), (1, True, True)]
