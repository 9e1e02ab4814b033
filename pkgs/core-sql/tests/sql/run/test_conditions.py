"""Conditions: what they are asked of, what an unmet one does, and what follows from skips."""

from typing import Any

import pytest
from core_sql_support import Engine, mapping, step

FOR_ROOT = [
    ({"required_input_pattern": {"kind": "page"}}, {"kind": "page", "more": 1}, True),
    ({"required_input_pattern": {"kind": "page"}}, {"kind": "feed"}, False),
    ({"required_input_pattern": {"kind": "page"}}, {}, False),
    ({"required_input_pattern": {"a": {"b": 1}}}, {"a": {"b": 1, "c": 2}}, True),
    ({"required_input_pattern": {"tags": ["x"]}}, {"tags": ["y", "x"]}, True),
    ({"required_input_pattern": {"a": None}}, {"a": None}, True),
    ({"required_input_pattern": {"a": None}}, {}, False),
    ({"required_input_pattern": {}}, {"any": 1}, True),
    ({"required_input_pattern": {}}, ["no object"], False),
    ({"required_input_pattern": {}}, None, False),
    ({"forbidden_input_pattern": {"kind": "page"}}, {"kind": "page"}, False),
    ({"forbidden_input_pattern": {"kind": "page"}}, {"kind": "feed"}, True),
    ({"forbidden_input_pattern": {"kind": "page"}}, "text", True),
    (
        {"required_input_pattern": {"a": 1}, "forbidden_input_pattern": {"b": 1}},
        {"a": 1, "b": 1},
        False,
    ),
    (
        {"required_input_pattern": {"a": 1}, "forbidden_input_pattern": {"b": 1}},
        {"a": 1, "b": 2},
        True,
    ),
]


@pytest.mark.parametrize(("condition", "value", "met"), FOR_ROOT, ids=str)
def test_a_root_step_is_asked_of_the_flow_input(
    pg: Engine, condition: dict[str, Any], value: Any, met: bool
):
    pg.flow("site", {"always": step(), "sometimes": step(**condition)})
    [run_id] = pg.start_many("site", [value])
    assert pg.step(run_id, "sometimes") == ("started" if met else "skipped")


@pytest.mark.parametrize(
    ("pattern", "met"),
    [
        ({"a": {"n": 1}}, True),
        ({"a": {"n": 2}}, False),
        ({"run": {"url": "x"}}, True),
        ({"run": {"url": "y"}}, False),
        ({"a": {"n": 1}, "run": {"url": "x"}}, True),
        ({"b": {}}, False),
        ({}, True),
    ],
    ids=str,
)
def test_a_dependent_step_is_asked_of_outputs_and_of_the_flow_input(
    pg: Engine, pattern: dict[str, Any], met: bool
):
    pg.flow("site", {"a": step(), "b": step("a", required_input_pattern=pattern)})
    run_id = pg.start("site", {"url": "x"})
    pg.complete((pg.claim_one("a"), {"n": 1, "m": 2}))
    assert pg.step(run_id, "b") == ("started" if met else "skipped")


def test_a_skipped_dependency_has_no_key_in_what_is_asked(pg: Engine):
    gone = {"required_input_pattern": {"never": 1}}
    pg.flow(
        "site",
        {
            "gone": step(**gone),
            "there": step(),
            "without": step("gone", "there", forbidden_input_pattern={"gone": {}}),
            "with": step("gone", "there", required_input_pattern={"gone": {}}),
        },
    )
    run_id = pg.start("site")
    pg.complete((pg.claim_one("there"), {}))
    assert pg.step(run_id, "without") == "started"
    assert pg.step(run_id, "with") == "skipped"


def test_a_dependency_that_only_orders_can_be_asked_for(pg: Engine):
    pg.flow(
        "site",
        {"a": step(), "b": step(after_slugs=["a"], required_input_pattern={"a": {"n": 1}})},
    )
    run_id = pg.start("site")
    pg.complete((pg.claim_one("a"), {"n": 1}))
    assert pg.step(run_id, "b") == "started"
    assert pg.claim_one("b").input == {}


@pytest.mark.parametrize("output", [None, 0, False, "", [], "text", [1]])
def test_an_output_that_is_no_object_is_not_taken_for_a_skip(pg: Engine, output: Any):
    pg.flow("site", {"a": step(), "b": step("a", required_input_pattern={"a": output})})
    run_id = pg.start("site")
    pg.complete((pg.claim_one("a"), output))
    assert pg.step(run_id, "b") == "started"


UNMET = {"required_input_pattern": {"never": True}}


def test_skip_lets_dependents_run_without_the_key(pg: Engine):
    pg.flow("site", {"a": step(**UNMET), "b": step("a"), "c": step("b")})
    run_id = pg.start("site")
    assert pg.step(run_id, "a", "status, skip_reason, error_message") == (
        "skipped",
        "condition_unmet",
        None,
    )
    assert pg.claim_one("b").input == {}


def test_skip_gives_a_map_over_it_no_elements(pg: Engine):
    pg.flow("site", {"a": step(**UNMET), "m": mapping("a"), "b": step("m")})
    run_id = pg.start("site")
    assert pg.step(run_id, "m", "status, output, initial_tasks") == ("completed", [], 0)
    assert pg.claim_one("b").input == {"m": []}


def test_skip_cascade_takes_every_descendant_with_it(pg: Engine):
    pg.flow(
        "site",
        {
            "a": step(when_unmet="skip-cascade", **UNMET),
            "other": step(),
            "b": step("a"),
            "both": step("a", "other"),
            "late": step("both"),
            "last": step("other"),
        },
    )
    run_id = pg.start("site")
    assert pg.steps(run_id, "skip_reason") == {
        "a": "condition_unmet",
        "b": "dependency_skipped",
        "both": "dependency_skipped",
        "late": "dependency_skipped",
        "other": None,
        "last": None,
    }
    pg.drain({"last": "done"})
    assert pg.run(run_id) == ("completed", 0, {"last": "done"})


def test_fail_fails_the_run_and_leaves_nothing_live(pg: Engine):
    pg.flow(
        "site",
        {
            "slow": step(),
            "a": step(),
            "b": step("a", when_unmet="fail", required_input_pattern={"a": {"n": 1}}),
            "c": step("b"),
        },
    )
    run_id = pg.start("site")
    slow, a = sorted(pg.claim(), key=lambda task: task.step, reverse=True)
    pg.complete((a, {"n": 2}))
    assert pg.run(run_id, "status, failed_step_slug, error_message") == (
        "failed",
        "b",
        "condition not met",
    )
    assert pg.steps(run_id) == {
        "slow": "cancelled",
        "a": "completed",
        "b": "failed",
        "c": "cancelled",
    }
    assert [refusal.reason for refusal in pg.complete((slow, 1))] == ["cancelled"]


def test_fail_at_the_start_gives_a_failed_run(pg: Engine):
    pg.flow("site", {"a": step(when_unmet="fail", **UNMET), "b": step()})
    run_id = pg.start("site")
    assert pg.run(run_id, "status, failed_step_slug") == ("failed", "a")
    assert pg.claim() == []


def test_the_first_of_several_unmet_conditions_fails_the_run(pg: Engine):
    pg.flow("site", {slug: step(when_unmet="fail", **UNMET) for slug in ("z", "y", "x")})
    run_id = pg.start("site")
    assert pg.run(run_id, "failed_step_slug") == "z"
    assert pg.steps(run_id) == {"z": "failed", "y": "cancelled", "x": "cancelled"}


@pytest.mark.parametrize(
    ("mode", "status"), [("skip", "skipped"), ("skip-cascade", "skipped"), ("fail", "failed")]
)
def test_a_condition_below_an_empty_map_is_asked(pg: Engine, mode: str, status: str):
    condition = step("m", when_unmet=mode, required_input_pattern={"m": [1]})
    pg.flow("maps", {"m": mapping(), "b": condition, "c": step("b")})
    run_id = pg.start("maps", [])
    assert pg.step(run_id, "b") == status


def test_an_unmet_condition_of_a_step_that_waits_is_asked_only_when_it_is_ready(pg: Engine):
    pg.flow("site", {"a": step(), "b": step("a", when_unmet="fail", **UNMET)})
    run_id = pg.start("site")
    assert pg.step(run_id, "b") == "created"
    assert pg.run(run_id, "status") == "started"
    pg.drain()
    assert pg.run(run_id, "status") == "failed"


def test_a_condition_of_a_map_over_nothing_comes_before_its_elements(pg: Engine):
    pg.flow("maps", {"a": step(), "m": mapping("a", required_input_pattern={"a": [1]})})
    run_id = pg.start("maps")
    pg.complete((pg.claim_one("a"), []))
    assert pg.step(run_id, "m", "status, skip_reason") == ("skipped", "condition_unmet")
    assert pg.run(run_id) == ("completed", 0, {})


def test_a_run_of_skipped_steps_is_completed_with_no_outputs(pg: Engine):
    pg.flow("site", {"a": step(**UNMET), "b": step("a", **UNMET)})
    assert pg.run(pg.start("site")) == ("completed", 0, {})


def test_a_chain_of_a_hundred_skips_ends_in_one_call(pg: Engine):
    chain = {"s0": step(**UNMET)}
    for n in range(1, 100):
        chain[f"s{n}"] = step(f"s{n - 1}", **UNMET)
    pg.flow("chain", chain | {"end": step("s99")})
    run_id = pg.start("chain")
    assert set(pg.steps(run_id, "skip_reason").values()) == {"condition_unmet", None}
    assert pg.claim_one("end").input == {}


def test_a_chain_of_a_thousand_empty_maps_ends_in_one_call(pg: Engine):
    chain = {"m0": mapping()}
    for n in range(1, 1000):
        chain[f"m{n}"] = mapping(f"m{n - 1}")
    with pg.conn.transaction():
        pg.flow("chain", chain)
    run_id = pg.start("chain", [])
    assert pg.run(run_id) == ("completed", 0, {"m999": []})


def test_a_cascade_of_twelve_by_twelve_steps_visits_each_once(pg: Engine):
    layers: dict[str, dict[str, Any]] = {
        f"s0_{n}": step(when_unmet="skip-cascade", **UNMET) for n in range(12)
    }
    for layer in range(1, 12):
        parents = [f"s{layer - 1}_{n}" for n in range(12)]
        layers |= {f"s{layer}_{n}": step(*parents) for n in range(12)}
    with pg.conn.transaction():
        pg.flow("grid", layers)
    run_id = pg.start("grid")
    reasons = list(pg.steps(run_id, "skip_reason").values())
    assert (reasons.count("condition_unmet"), reasons.count("dependency_skipped")) == (12, 132)
    assert pg.run(run_id) == ("completed", 0, {})


def test_many_runs_of_one_batch_are_each_decided_by_themselves(pg: Engine):
    modes = {"f": "fail", "s": "skip", "c": "skip-cascade"}
    steps = {
        name: step(when_unmet=mode, forbidden_input_pattern={"unmet": [name]})
        for name, mode in modes.items()
    }
    pg.flow("site", steps | {"after_s": step("s"), "after_c": step("c")})
    unmet = [[], ["f"], ["s"], ["c"], ["s", "c"], ["f", "s", "c"]]
    ids = pg.start_many("site", [{"unmet": each} for each in unmet])
    assert [pg.run(run_id, "status") for run_id in ids] == [
        "failed" if "f" in each else "started" for each in unmet
    ]
    pg.drain({"f": "f", "after_s": "s", "after_c": "c"})
    assert [pg.run(run_id, "output") for run_id in ids] == [
        {"f": "f", "after_s": "s", "after_c": "c"},
        None,
        {"f": "f", "after_s": "s", "after_c": "c"},
        {"f": "f", "after_s": "s"},
        {"f": "f", "after_s": "s"},
        None,
    ]
