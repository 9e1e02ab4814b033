"""References: what they look like, and what happens when they are taken for values."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from pgflow_dsl import DefinitionError, Flow, ReferenceUsed
from pydantic import BaseModel


class Page(BaseModel):
    title: str


flow = Flow("f", input=Page)


@flow.step
def fetch(page: Page = flow.input) -> Page:
    return page


OUTPUT: Any = fetch.output


def test_references_say_what_they_stand_for() -> None:
    assert repr(fetch.output) == "<output of step 'fetch' of flow 'f'>"
    assert repr(flow.input) == "<input of flow 'f'>"
    assert repr(flow.context) == "<context of the task>"


def test_the_signature_of_a_step_shows_its_edges() -> None:
    assert "= <input of flow 'f'>" in str(inspect.signature(fetch))


@pytest.mark.parametrize(
    ("use", "word"),
    [
        (lambda: OUTPUT.title, r"\.title"),
        (lambda: OUTPUT.pgflow, r"\.pgflow"),
        (lambda: OUTPUT["title"], r"\['title'\]"),
        (lambda: list(OUTPUT), "iterating over it"),
        (lambda: len(OUTPUT), r"len\(\)"),
        (lambda: bool(OUTPUT), "a truth test"),
        (lambda: "a" in OUTPUT, "`in`"),
        (lambda: OUTPUT(), "calling it"),
    ],
)
def test_using_a_reference_says_to_take_the_whole_output(use: Callable[[], Any], word: str) -> None:
    expected = f"<output of step 'fetch' of flow 'f'>.*{word} cannot work.*Take the whole value"
    with pytest.raises(ReferenceUsed, match=expected) as raised:
        use()
    assert isinstance(raised.value, DefinitionError)


def test_a_step_called_without_its_arguments_says_to_pass_a_value() -> None:
    @flow.step(slug="titled")
    def titled(page: Page = fetch.output) -> str:
        return page.title

    with pytest.raises(ReferenceUsed, match="to call the function yourself, pass a value"):
        titled()


def test_tools_that_probe_objects_are_not_disturbed() -> None:
    assert not hasattr(OUTPUT, "title")
    assert not hasattr(OUTPUT, "__wrapped__")
    assert getattr(OUTPUT, "title", None) is None
    assert copy.copy(OUTPUT) is not None


def test_the_same_reference_may_be_taken_twice() -> None:
    two = Flow("two", input=int)

    @two.step
    def add(a: int = two.input, b: float = two.input) -> float:
        return a + b

    @two.step
    def pair(a: float = add.output, b: float = add.output) -> float:
        return a + b

    context: Any = None
    assert add.bind("{}", "5", None, context) == ([], {"a": 5, "b": 5.0})
    assert pair.bind('{"add": 2.5}', None, None, context) == ([], {"a": 2.5, "b": 2.5})
    assert pair.dependencies == (add,)
