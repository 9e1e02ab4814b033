"""Definitions: what the model refuses the database refuses, and it knows the same of the rest."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from core_sql_support.fuzzing import examples
from core_sql_support.records import DefinitionRefused, Flow, Step
from core_sql_support.replay import add_step
from core_sql_support.scenarios import flows
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

pytestmark = pytest.mark.timeout(3600)

slugs = st.sampled_from(["a", "b", "c", "d"])
edges = st.frozensets(slugs, max_size=2)
# Dependencies that do not exist, that come twice, that make a circle, and maps over anything.
any_steps = st.lists(
    st.builds(
        Step,
        slug=slugs,
        deps=edges,
        after=edges,
        map_over=st.none() | st.just("run") | slugs,
        required=st.none() | st.just({}),
        max_attempts=st.integers(1, 3),
    ),
    max_size=8,
)
FACTS = """
select step_slug, step_index, step_type, deps_count, map_over, is_leaf, feeds_map,
  takes_flow_input, opt_max_attempts
from pgflow.steps where flow_slug = %s order by step_index
"""


def facts_of(flow: Flow) -> list[tuple[Any, ...]]:
    """What the rows of the steps should say."""
    return [
        (
            *(step.slug, place, "map" if step.map_over else "single", len(step.waits_for)),
            *(step.map_over, not flow.children(step.slug), bool(flow.map_fed_by(step.slug))),
            step.takes_flow_input or not (step.waits_for or step.map_over),
            step.max_attempts,
        )
        for place, step in enumerate(flow.steps.values())
    ]


def is_accepted(flow: Flow, step: Step) -> bool:
    try:
        flow.add_step(step)
    except DefinitionRefused:
        return False
    return True


def refusal_of(conn: psycopg.Connection[Any], step: Step) -> str | None:
    try:
        add_step(conn, "site", step)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def shape_of(steps: Iterable[Step]) -> Jsonb:
    return Jsonb(
        {
            "steps": [
                {
                    "slug": step.slug,
                    "stepType": "map" if step.map_over else "single",
                    "dependencies": sorted(step.waits_for, reverse=True),
                    "after": sorted(step.after),
                    "mapOver": step.map_over,
                    "takesFlowInput": step.takes_flow_input,
                    "whenUnmet": step.when_unmet,
                    "whenExhausted": step.when_exhausted,
                    "requiredInputPattern": pattern_of(step.required),
                    "forbiddenInputPattern": pattern_of(step.forbidden),
                    "options": {"maxAttempts": step.max_attempts, "baseDelay": step.base_delay},
                }
                for step in steps
            ]
        }
    )


def pattern_of(pattern: dict[str, Any] | None) -> dict[str, Any]:
    return {"defined": False} if pattern is None else {"defined": True, "value": pattern}


@examples(60)
@given(steps=any_steps)
def test_a_definition_is_refused_where_the_model_refuses_it(
    conn: psycopg.Connection[Any], steps: list[Step]
):
    flow = Flow()
    conn.execute("select pgflow.delete_flow_and_data('site'), pgflow.create_flow('site')")
    for step in steps:
        refusal = refusal_of(conn, step)
        assert refusal in (None, "PF003", "PF005")
        assert (refusal is None) == is_accepted(flow, step)
        assert conn.execute(FACTS, ["site"]).fetchall() == facts_of(flow)


@examples(60)
@given(steps=flows(8), change=st.data())
def test_a_shape_is_another_where_its_structure_is(
    conn: psycopg.Connection[Any], steps: list[Step], change: st.DataObject
):
    place = change.draw(st.integers(0, len(steps) - 1))
    old = steps[place]
    new = change.draw(
        st.sampled_from(
            [
                replace(old, max_attempts=9, base_delay=7),
                replace(old, takes_flow_input=not old.takes_flow_input),
                replace(old, slug="other"),
                replace(old, when_unmet="fail"),
                replace(old, when_exhausted="skip"),
                replace(old, required=None),
                replace(old, forbidden={"n": 5}),
                replace(old, deps=old.waits_for, after=frozenset()),
                replace(old, map_over=None),
            ]
        )
    )
    changed = [*steps[:place], new, *steps[place + 1 :]]
    ensure = "select pgflow.ensure_flow_compiled('site', %s) -> 'status'"
    conn.execute("select pgflow.delete_flow_and_data('site')")
    assert conn.execute(ensure, [shape_of(steps)]).fetchone() == ("compiled",)
    is_same = new.structure == old.structure
    answer = conn.execute(ensure, [shape_of(changed)]).fetchone()
    assert answer == ("verified" if is_same else "mismatch",)
    kept = changed if is_same else steps
    saved = conn.execute(
        "select step_slug, opt_max_attempts, opt_base_delay from pgflow.steps order by step_index"
    )
    assert saved.fetchall() == [(step.slug, step.max_attempts, step.base_delay) for step in kept]
