"""Conditions: what they compile to, which edges they add, what dependents may lack."""

from typing import Any

import pytest
from pgflow_dsl import DefinitionError, Flow, HandlerInputInvalid, compile_flow
from pydantic import BaseModel


class Site(BaseModel):
    url: str


class Page(BaseModel):
    language: str


@pytest.fixture
def flow() -> Flow[Site]:
    """A flow of one step."""
    flow = Flow("f", input=Site)

    @flow.step
    def fetch(site: Site = flow.input) -> Page:
        return Page(language="en")

    return flow


def fetch_of(flow: Flow[Site]) -> Any:
    return flow.get_step("fetch")


def test_a_root_step_is_compared_with_the_input_itself(flow: Flow[Site]) -> None:
    @flow.step(when={flow: {"url": "a"}}, when_not={flow: {"url": "b"}})
    def only() -> None: ...

    assert only.required_pattern == {"url": "a"}
    assert only.forbidden_pattern == {"url": "b"}
    assert only.dependencies == ()


def test_a_dependent_step_is_compared_with_outputs_by_slug_and_the_input_as_run(
    flow: Flow[Site],
) -> None:
    fetch = fetch_of(flow)

    @flow.step(when={fetch: {"language": "en"}, flow: {"url": "a"}})
    def only(page: Page = fetch.output) -> None: ...

    assert only.required_pattern == {"fetch": {"language": "en"}, "run": {"url": "a"}}
    assert only.forbidden_pattern is None


def test_an_output_may_be_compared_with_any_json(flow: Flow[Site]) -> None:
    fetch = fetch_of(flow)

    @flow.step(when_not={fetch: [1, None, {"deep": ("a", True)}]})
    def only() -> None: ...

    assert only.forbidden_pattern == {"fetch": [1, None, {"deep": ["a", True]}]}


def test_a_condition_on_a_step_waits_for_it(flow: Flow[Site]) -> None:
    fetch = fetch_of(flow)

    @flow.step(when={fetch: {"language": "en"}})
    def alone() -> None: ...

    @flow.step(when={fetch: {"language": "en"}}, after=[fetch, alone])
    def dependent(page: Page = fetch.output) -> None: ...

    assert (alone.delivered, alone.after) == ((), (fetch,))
    assert (dependent.delivered, dependent.after) == ((fetch,), (alone,))


def test_who_may_be_skipped(flow: Flow[Site]) -> None:
    fetch = fetch_of(flow)
    loose: Any = flow

    def may_be_skipped(**options: Any) -> bool:
        def work() -> int:
            return 1

        step = loose.step(slug=f"s{len(flow.steps)}", **options).add(work)
        return bool(step.may_be_skipped)

    condition = {fetch: {"language": "en"}}
    assert not may_be_skipped()
    assert may_be_skipped(when=condition)
    assert may_be_skipped(when_not=condition)
    assert may_be_skipped(when=condition, when_unmet="skip")
    assert not may_be_skipped(when=condition, when_unmet="skip-cascade")
    assert not may_be_skipped(when=condition, when_unmet="fail")
    assert may_be_skipped(when_exhausted="skip")
    assert not may_be_skipped(when_exhausted="skip-cascade")
    assert may_be_skipped(when=condition, when_unmet="fail", when_exhausted="skip")


def test_modes_are_compiled_where_they_are_not_the_default(flow: Flow[Site]) -> None:
    fetch = fetch_of(flow)

    @flow.step(when={fetch: {"language": "en"}}, when_unmet="fail", when_exhausted="skip-cascade")
    def only() -> None: ...

    sql = compile_flow(flow)
    assert "when_unmet => 'fail'" in sql
    assert "when_exhausted => 'skip-cascade'" in sql
    assert """required_input_pattern => '{"fetch": {"language": "en"}}'""" in sql
    assert sql.count("when_unmet") == 1


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"when": {}}, "when is empty"),
        ({"when": {"language": "en"}}, "has the key 'language', but keys are this flow or its"),
        ({"when": [1]}, r"when takes \{step: pattern\} or \{flow: pattern\}, not \[1\]"),
        ({"when_unmet": "skip"}, "when_unmet needs a condition"),
        ({"when_unmet": "ignore"}, "when_unmet must be one of 'fail', 'skip', 'skip-cascade'"),
    ],
)
def test_what_is_no_condition_is_refused(
    flow: Flow[Site], options: dict[str, Any], reason: str
) -> None:
    loose: Any = flow

    def only() -> None: ...

    with pytest.raises(DefinitionError, match=reason):
        loose.step(**options).add(only)


def test_a_condition_on_another_flow_or_its_step_is_refused(flow: Flow[Site]) -> None:
    other = Flow("other")

    with pytest.raises(DefinitionError, match="has the key <flow 'other'>"):
        flow.step(when={other: {"a": 1}})(print_nothing)

    @other.step
    def foreign() -> None: ...

    with pytest.raises(DefinitionError, match="step 'foreign' of flow 'other'> cannot be"):
        flow.step(when={foreign: {"a": 1}})(print_nothing)


def print_nothing() -> None: ...


ITSELF: dict[str, Any] = {}
ITSELF["again"] = [ITSELF]
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ([1], r"must be a JSON object such as .*, not \[1\]"),
        ("text", "must be a JSON object"),
        (None, "must be a JSON object"),
        ({1: 1}, "the keys of an object must be text"),
        ({"a": object()}, "is not JSON: Object of type object"),
        ({"a": float("nan")}, "is not JSON: Out of range float"),
        ({"a": "\x00"}, "holds a NUL character"),
        (ITSELF, "contains itself, or is nested too deeply"),
        ({"a": DEEP}, "contains itself, or is nested too deeply"),
    ],
)
def test_a_pattern_on_the_input_is_a_json_object(
    flow: Flow[Site], pattern: Any, reason: str
) -> None:
    with pytest.raises(DefinitionError, match=reason):
        flow.step(when={flow: pattern})(print_nothing)


def test_a_map_over_the_input_cannot_have_a_condition_on_it() -> None:
    flow = Flow("f", input=list[int])
    with pytest.raises(DefinitionError, match="a map over the flow's input cannot have"):

        @flow.map(over=flow.input, when={flow: {"a": 1}})
        def take(n: int) -> None: ...


def test_a_skipped_dependency_is_none_and_a_present_null_is_checked(
    flow: Flow[Site], context: Any
) -> None:
    @flow.step(when={flow: {"url": "a"}})
    def number() -> int:
        return 1

    @flow.step(when={flow: {"url": "a"}})
    def maybe() -> int | None:
        return None

    page_reference: Page = fetch_of(flow).output

    @flow.step
    def both(
        page: Page = page_reference,
        a: int | None = number.output,
        b: int | None = maybe.output,
    ) -> None: ...

    page = Page(language="en")
    bound = both.bind('{"fetch": {"language": "en"}, "maybe": null}', None, None, context)
    assert bound == ([], {"page": page, "a": None, "b": None})
    with pytest.raises(HandlerInputInvalid, match="page: Field required"):
        both.bind('{"number": 1, "maybe": 2}', None, None, context)
    with pytest.raises(HandlerInputInvalid, match="page: Input should be an object"):
        both.bind('{"fetch": null}', None, None, context)
    assert number.load_output(None) is None
    assert maybe.load_output("null") is None


def test_dependents_of_a_step_that_may_be_skipped_must_take_none() -> None:
    flow = Flow("f", input=int)

    @flow.step(when_exhausted="skip")
    def maybe(n: int = flow.input) -> int:
        return n

    def takes(n: int) -> None: ...

    loose: Any = flow

    with pytest.raises(
        DefinitionError,
        match=r"parameter 'n' of type int must also take None.*'maybe'.*`int \| None`",
    ):
        loose.add(takes, maybe.output)

    @flow.step
    def fine(n: int | None = maybe.output) -> None: ...

    @flow.step(when_exhausted="skip-cascade")
    def cascading(n: int = flow.input) -> int:
        return n

    assert flow.add(takes, cascading.output).slug == "takes"
