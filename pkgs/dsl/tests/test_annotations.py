"""Annotations that are text, as `from __future__ import annotations` makes all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pgflow_dsl import Context, DefinitionError, Flow
from pydantic import BaseModel
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass
class Page:
    title: str
    links: list[Link]


@dataclass
class Link:
    url: str


def test_types_of_the_module_are_found(context: Context) -> None:
    flow = Flow("f", input=Page)

    @flow.step
    def titles(ctx: Context, page: Page = flow.input) -> list[str]:
        return [page.title]

    bound = titles.bind("{}", '{"title": "t", "links": [{"url": "u"}]}', None, context)
    assert bound == ([], {"ctx": context, "page": Page("t", [Link("u")])})


def test_types_of_the_defining_function_are_found(context: Context) -> None:
    class Local(BaseModel):
        n: int

    @dataclass
    class Outer:
        local: Local

    class Record(TypedDict):
        outer: Outer

    flow = Flow("f", input=Local)

    @flow.step
    def wrap(local: Local = flow.input) -> Outer:
        return Outer(local)

    @flow.step
    def record(outer: Outer = wrap.output) -> Record:
        return {"outer": outer}

    @flow.map(over=flow.step(slug="many").add(list_of_numbers).output)
    def local_map(n: int, outer: Outer = wrap.output) -> Local:
        return Local(n=n)

    assert record.bind('{"wrap": {"local": {"n": 1}}}', None, None, context) == (
        [],
        {"outer": Outer(Local(n=1))},
    )
    assert record.load_output('{"outer": {"local": {"n": 2}}}') == {"outer": Outer(Local(n=2))}
    assert local_map.load_output('[{"n": 2}]') == [Local(n=2)]


def list_of_numbers() -> list[int]:
    return [1]


def test_types_that_a_function_closes_over_are_found_when_it_is_added_elsewhere() -> None:
    def make() -> Any:
        class Local(BaseModel):
            n: int

        def use(local: Local) -> int:
            return Local(n=local.n).n

        return use

    flow = Flow[Any]("f", input=dict[str, int])
    step = flow.add(make(), flow.input)
    assert step.slug == "use"


def test_a_local_type_that_cannot_be_found_is_refused_with_advice() -> None:
    def make() -> Any:
        class Local(BaseModel):
            n: int

        def use(local: Local) -> int:
            return local.n

        return use

    flow = Flow[Any]("f", input=dict[str, int])
    with pytest.raises(DefinitionError) as raised:
        flow.add(make(), flow.input)
    message = str(raised.value)
    assert "function 'use'" in message
    assert "parameter 'local' has the annotation 'Local', which cannot be resolved" in message
    assert "define types before the flow" in message
    assert flow.steps == ()


def test_an_import_for_type_checkers_alone_is_refused_with_advice() -> None:
    flow = Flow("f", input=int)

    def use(n: int) -> Fraction:
        return n  # type: ignore[return-value] # never called

    with pytest.raises(DefinitionError, match=r"its return type.*'Fraction'.*TYPE_CHECKING"):
        flow.add(use, flow.input)


def test_an_annotation_that_is_not_needed_need_not_be_resolved(context: Context) -> None:
    flow = Flow("f", input=int)

    @flow.step
    def use(n: int = flow.input, extra: Fraction | None = None) -> int:
        return n

    assert use.bind("{}", "1", None, context) == ([], {"n": 1})
