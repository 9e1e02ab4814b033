"""Maps: what they run over, what an element gets, what dependents get."""

from dataclasses import dataclass
from typing import Any

import pytest
from pgflow_dsl import Context, DefinitionError, Flow, HandlerInputInvalid, MapStep


@dataclass
class Page:
    title: str
    words: list[str]


@pytest.fixture
def flow() -> Flow[list[int]]:
    """A flow of two maps, the second one over the first."""
    flow = Flow("f", input=list[int])

    @flow.map(over=flow.input)
    def double(n: int) -> int:
        return 2 * n

    @flow.map(over=double.output)
    async def text(n: int) -> str:
        return str(n)

    return flow


def step_of(flow: Flow[list[int]], slug: str) -> Any:
    return flow.get_step(slug)


def refused(reason: str) -> Any:
    return pytest.raises(DefinitionError, match=reason)


def test_a_map_over_the_input_has_no_dependency(flow: Flow[list[int]]) -> None:
    double = step_of(flow, "double")
    assert isinstance(double, MapStep)
    assert double.kind == "map"
    assert double.over is None
    assert double.dependencies == ()
    assert not double.takes_flow_input
    assert not double.needs_shared_input


def test_a_map_over_a_map_depends_on_it(flow: Flow[list[int]]) -> None:
    assert step_of(flow, "text").over is step_of(flow, "double")
    assert step_of(flow, "text").dependencies == (step_of(flow, "double"),)


def test_an_element_is_the_whole_input_of_a_task(flow: Flow[list[int]], context: Context) -> None:
    assert step_of(flow, "double").bind("5", None, None, context) == ([], {"n": 5})


def test_an_element_that_does_not_fit_is_told(flow: Flow[list[int]], context: Context) -> None:
    with pytest.raises(HandlerInputInvalid, match="n: Input should be a valid integer"):
        step_of(flow, "double").bind('"five"', None, None, context)


def test_one_output_is_an_element_and_all_are_a_list(flow: Flow[list[int]]) -> None:
    double = step_of(flow, "double")
    assert double.dump_output(5) == "5"
    assert double.load_output("[1, 2]") == [1, 2]
    assert double.load_output("[]") == []
    assert double.output_schema == {"type": "integer"}


def test_elements_share_further_outputs_and_the_input(
    flow: Flow[list[int]], context: Context
) -> None:
    @flow.step
    def page() -> Page:
        return Page(title="t", words=["w"])

    @flow.map(over=step_of(flow, "double").output)
    def mark(
        ctx: Context, n: int, page: Page = page.output, all: list[int] = flow.input, sign: str = "!"
    ) -> str:
        return f"{n}{sign}"

    assert mark.needs_shared_input
    assert mark.takes_flow_input
    assert [step.slug for step in mark.delivered] == ["double", "page"]
    shared = '{"page": {"title": "t", "words": []}, "run": [1, 2]}'
    args, kwargs = mark.bind("2", None, shared, context)
    assert kwargs == {"ctx": context, "n": 2, "page": Page("t", []), "all": [1, 2]}
    assert mark(*args, **kwargs) == "2!"


def test_what_elements_share_is_new_for_each(flow: Flow[list[int]], context: Context) -> None:
    @flow.map(over=flow.input)
    def take(n: int, all: list[int] = flow.input) -> None: ...

    first = take.bind("1", None, '{"run": [1, 2]}', context)[1]["all"]
    first.append(3)
    assert take.bind("2", None, '{"run": [1, 2]}', context)[1]["all"] == [1, 2]


def test_a_missing_shared_input_is_told(flow: Flow[list[int]], context: Context) -> None:
    @flow.map(over=flow.input)
    def take(n: int, all: list[int] = flow.input) -> None: ...

    with pytest.raises(HandlerInputInvalid, match="the task was delivered without it"):
        take.bind("1", None, None, context)


def test_a_function_of_others_is_mapped(flow: Flow[list[int]], context: Context) -> None:
    @flow.step
    def factor() -> int:
        return 3

    def scale(ctx: Context, n: int, by: int, offset: int = 0) -> int:
        return n * by + offset + ctx.task_index

    scaled = flow.map(over=flow.input, slug="scaled").add(scale, factor.output, offset=1)
    args, kwargs = scaled.bind("5", None, '{"factor": 3}', context)
    assert scaled(*args, **kwargs) == 16


def test_a_tuple_a_set_and_a_list_that_may_be_skipped_are_arrays() -> None:
    flow = Flow("f", input=tuple[int, ...])

    @flow.step
    def letters() -> set[str]:
        return {"a"}

    @flow.step(when_exhausted="skip")
    def maybe() -> list[str]:
        return []

    def take(element: str) -> None: ...
    def count(element: int) -> None: ...

    flow.map(over=letters.output, slug="a").add(take)
    flow.map(over=maybe.output, slug="b").add(take)
    flow.map(over=flow.input, slug="c").add(count)
    assert len(flow.steps) == 5


def test_what_is_not_an_array_is_refused(flow: Flow[list[int]]) -> None:
    @flow.step
    def page() -> Page:
        return Page(title="", words=[])

    @flow.step
    def name() -> str:
        return ""

    @flow.step
    def maybe() -> list[int] | None:
        return None

    def take(n: Any) -> None: ...

    loose: Any = flow
    for over in (page.output, name.output, maybe.output, Flow("g", input=list[int]).input):
        with refused("over= is <.*>, which is (not always an array|another flow)"):
            loose.map(over=over).add(take)
    for over in ([1, 2], step_of(flow, "double"), "double", None):
        with refused("over= takes a reference such as fetch.output or flow.input, not"):
            loose.map(over=over).add(take)


def test_a_map_without_over_is_refused_at_once(flow: Flow[list[int]]) -> None:
    loose: Any = flow
    with refused("a map of flow 'f': over= takes a reference .* not <function"):
        loose.map(step_of(flow, "double").fn)


def test_a_list_of_unknown_type_is_believed_to_be_an_array() -> None:
    flow = Flow[Any]("f", input=Any)

    @flow.map(over=flow.input)
    def take(n: int) -> None: ...

    assert take.kind == "map"


def test_a_map_needs_a_parameter_for_the_element(flow: Flow[list[int]]) -> None:
    loose: Any = flow

    def nothing(ctx: Context) -> None: ...
    def taken(n: list[int] = flow.input) -> None: ...

    with refused("a map's function needs a parameter for the element"):
        loose.map(over=flow.input).add(nothing)
    with refused("'n' is the first, so it takes the map's element"):
        loose.map(over=flow.input)(taken)


def test_an_element_cannot_have_the_whole_array_too(flow: Flow[list[int]]) -> None:
    doubled: list[int] = step_of(flow, "double").output
    with refused("'all' takes the array that the map runs over"):

        @flow.map(over=doubled)
        def take(n: int, all: list[int] = doubled) -> None: ...


def test_a_map_that_may_be_skipped_gives_none(flow: Flow[list[int]], context: Context) -> None:
    @flow.map(over=flow.input, when_exhausted="skip")
    def half(n: int) -> float:
        return n / 2

    @flow.step
    def total(halves: list[float] | None = half.output) -> float:
        return sum(halves or [])

    assert half.load_output(None) is None
    assert total.bind("{}", None, None, context) == ([], {"halves": None})
    assert total.bind('{"half": [0.5]}', None, None, context) == ([], {"halves": [0.5]})
