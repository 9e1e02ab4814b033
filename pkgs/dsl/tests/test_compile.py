"""SQL and shape of flows: text, escaping, order, and what counts as a difference."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pgflow_dsl import (
    DefinitionError,
    Flow,
    compare_shapes,
    compare_types,
    compile_flow,
    compile_version,
)
from pydantic import BaseModel, Field


def make_flow(**options: Any) -> Flow[list[int]]:
    """Return a flow that uses everything, options of one step aside."""
    flow = Flow(
        "f",
        input=list[int],
        max_attempts=5,
        base_delay=timedelta(0),
        timeout=timedelta(minutes=2),
        max_delay=timedelta(hours=1),
        jitter=0.25,
    )

    @flow.step(when={flow: {"a": 1}}, when_unmet="skip-cascade")
    def first(all: list[int] = flow.input) -> int:
        return len(all)

    step: Any = flow.step

    def second(n: int) -> str:
        return str(n)

    step(**options).add(second, first.output)

    @flow.map(over=flow.input, after=[first])
    def third(n: int, all: list[int] = flow.input) -> int:
        return n

    @flow.map(over=third.output)
    def fourth(n: int, count: int = first.output) -> int:
        return n

    return flow


def test_a_flow_compiles_to_one_call_each_in_order() -> None:
    sql = compile_flow(make_flow(start_delay=timedelta(seconds=9), when_exhausted="fail"))
    assert sql == (
        """-- The flow f, compiled by pgflow.

select pgflow.create_flow(
  flow_slug => 'f',
  max_attempts => 5,
  base_delay => 0,
  timeout => 120,
  max_delay => 3600,
  jitter => 0.25,
  input_schema => '{"items": {"type": "integer"}, "type": "array"}'
);

select pgflow.add_step(
  flow_slug => 'f',
  step_slug => 'first',
  required_input_pattern => '{"a": 1}',
  when_unmet => 'skip-cascade',
  takes_flow_input => true,
  output_schema => '{"type": "integer"}'
);

select pgflow.add_step(
  flow_slug => 'f',
  step_slug => 'second',
  deps_slugs => array['first'],
  start_delay => 9,
  output_schema => '{"type": "string"}'
);

select pgflow.add_step(
  flow_slug => 'f',
  step_slug => 'third',
  step_type => 'map',
  map_over => 'run',
  after_slugs => array['first'],
  takes_flow_input => true,
  output_schema => '{"type": "integer"}'
);

select pgflow.add_step(
  flow_slug => 'f',
  step_slug => 'fourth',
  deps_slugs => array['first', 'third'],
  step_type => 'map',
  map_over => 'third',
  output_schema => '{"type": "integer"}'
);
"""
    )


def test_a_version_compiles_to_one_call_with_a_step_a_line() -> None:
    flow = Flow("f", input=list[int], max_attempts=2)

    @flow.map(over=flow.input)
    def each(n: int) -> str:
        return f"it's {n}"

    @flow.step(when_exhausted="skip")
    def end(texts: list[str] = each.output) -> None: ...

    assert compile_version(flow) == (
        """-- The flow f, compiled by pgflow.

select pgflow.use_flow_shape(
  flow_slug => 'f',
  shape => '{"options": {"maxAttempts": 2}, "inputSchema": {"items": {"type": "integer"}, """
        """"type": "array"}, "steps": [
  {"slug": "each", "stepType": "map", "mapOver": "run", "outputSchema": {"type": "string"}},
  {"slug": "end", "dependencies": ["each"], "whenExhausted": "skip", "outputSchema": """
        """{"type": "null"}}
]}'
);
"""
    )


def test_equal_definitions_compile_to_equal_text() -> None:
    assert compile_flow(make_flow()) == compile_flow(make_flow())
    assert compile_version(make_flow()) == compile_version(make_flow())
    assert make_flow().shape() == make_flow().shape()


def test_the_shape_holds_the_whole_definition() -> None:
    shape = make_flow(max_attempts=2, start_delay=timedelta(seconds=9)).shape()
    assert shape["flow_slug"] == "f"
    assert shape["options"] == {
        "maxAttempts": 5,
        "baseDelay": 0,
        "timeout": 120,
        "maxDelay": 3600,
        "jitter": 0.25,
    }
    assert shape["inputSchema"] == {"type": "array", "items": {"type": "integer"}}
    first, second, third, fourth = shape["steps"]
    assert first == {
        "slug": "first",
        "stepType": "single",
        "dependencies": [],
        "after": [],
        "mapOver": None,
        "takesFlowInput": True,
        "whenUnmet": "skip-cascade",
        "whenExhausted": "fail",
        "requiredInputPattern": {"defined": True, "value": {"a": 1}},
        "forbiddenInputPattern": {"defined": False},
        "options": {},
        "outputSchema": {"type": "integer"},
    }
    assert second["options"] == {"maxAttempts": 2, "startDelay": 9}
    assert not second["takesFlowInput"]
    assert (third["mapOver"], third["after"], third["dependencies"]) == (
        "run",
        ["first"],
        ["first"],
    )
    assert (fourth["mapOver"], fourth["dependencies"]) == ("third", ["first", "third"])


def test_options_and_schemas_are_no_difference() -> None:
    old, new = make_flow().shape(), make_flow(max_attempts=9).shape()
    new["options"] = {}
    new["inputSchema"] = {}
    new["steps"][0]["outputSchema"] = {}
    new["steps"][0]["takesFlowInput"] = False
    assert compare_shapes(old, new) == []


CHANGES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda shape: shape.update(flow_slug="g"), "the flow 'f' is now 'g'"),
    (lambda shape: shape["steps"].pop(), "step 'fourth' is gone"),
    (
        lambda shape: shape["steps"].append({**shape["steps"][0], "slug": "fifth"}),
        "step 'fifth' is new",
    ),
    (
        lambda shape: shape["steps"].reverse(),
        "the order of steps was first, second, third, fourth "
        "and is now fourth, third, second, first",
    ),
    (
        lambda shape: shape["steps"][1].update(stepType="map"),
        "step 'second': the type was 'single' and is now 'map'",
    ),
    (
        lambda shape: shape["steps"][1].update(dependencies=["third"]),
        "step 'second': the dependencies were first and are now third",
    ),
    (
        lambda shape: shape["steps"][2].update(after=[]),
        "step 'third': the dependencies that only order were first and are now none",
    ),
    (
        lambda shape: shape["steps"][3].update(mapOver="run"),
        "step 'fourth': the array to map over was 'third' and is now 'run'",
    ),
    (
        lambda shape: shape["steps"][0].update(whenUnmet="fail"),
        "step 'first': the when_unmet was 'skip-cascade' and is now 'fail'",
    ),
    (
        lambda shape: shape["steps"][0].update(whenExhausted="skip"),
        "step 'first': the when_exhausted was 'fail' and is now 'skip'",
    ),
    (
        lambda shape: shape["steps"][0].update(requiredInputPattern={"defined": False}),
        "step 'first': the required pattern (when) was {'a': 1} and is now none",
    ),
    (
        lambda shape: shape["steps"][0].update(
            forbiddenInputPattern={"defined": True, "value": {"b": None}}
        ),
        "step 'first': the forbidden pattern (when_not) was none and is now {'b': None}",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), CHANGES)
def test_each_difference_is_a_sentence(
    change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    new = make_flow().shape()
    change(new)
    assert compare_shapes(make_flow().shape(), new) == [sentence]


def literal_value(literal: str) -> str:
    """Read a literal of SQL as a server does, whatever it makes of backslashes in plain ones."""
    if literal.startswith("E'"):
        return re.sub(r"\\(.)", r"\1", literal[2:-1].replace("''", "'"), flags=re.DOTALL)
    assert "\\" not in literal
    return literal[1:-1].replace("''", "'")


LITERAL = re.compile(r"E'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'", re.DOTALL)


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_no_text_escapes_from_its_literal(text: str) -> None:
    flow = Flow("f", input=dict[str, str])

    @flow.step(when={flow: {"key": text}})
    def only() -> None: ...

    sql = compile_flow(flow)
    line = sql.split("required_input_pattern => ", 1)[1].rsplit(",\n  output_schema", 1)[0]
    assert LITERAL.fullmatch(line)
    assert json.loads(literal_value(line)) == {"key": text}


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,127}", fullmatch=True))
def test_every_slug_of_the_rule_is_taken(slug: str) -> None:
    if slug == "run":
        return
    assert f"flow_slug => '{slug}'," in compile_flow(Flow(slug))


@given(st.text(max_size=200))
def test_every_other_slug_is_refused(slug: str) -> None:
    is_slug = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", slug) and slug != "run"
    if not is_slug:
        with pytest.raises(DefinitionError):
            Flow(slug)


def test_a_schema_with_quotes_and_backslashes_is_escaped() -> None:
    class Odd(BaseModel):
        code: str = Field(pattern=r"^\d+'$", description="it's; -- odd $$ $1 %(x)s")

    flow = Flow("f", input=Odd)
    line = compile_flow(flow).split("input_schema => ", 1)[1].rsplit("\n);", 1)[0]
    assert line.startswith("E'")
    assert LITERAL.fullmatch(line)
    assert r"^\\\\d+''$" in line


def test_changed_types_are_told_apart_from_the_structure() -> None:
    def made(schema: dict[str, Any]) -> dict[str, Any]:
        steps = [{"slug": "first", "outputSchema": schema}]
        return {"flow_slug": "f", "inputSchema": schema, "steps": steps}

    old, new = made({"type": "integer"}), made({"type": "string"})
    assert compare_shapes(old, new) == []
    assert compare_types(old, new) == ["the flow input", "the output of step 'first'"]
    # What is not known is taken for the same.
    assert compare_types(old | {"inputSchema": None}, new | {"steps": []}) == []
