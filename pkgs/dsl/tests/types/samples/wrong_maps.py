"""Maps and jobs with mistakes: both checkers report each marked line."""

from dataclasses import dataclass
from typing import assert_type

from pgflow_dsl import Context, Flow, job


@dataclass
class Page:
    title: str


flow = Flow("f", input=list[int])


@flow.step
def page() -> Page:
    return Page("")


@flow.step
def text() -> str:
    return ""


@flow.step
def table() -> dict[str, int]:
    return {}


@flow.map(over=flow.input)
def double(n: int) -> float:
    return 2.0 * n


@flow.map(over=flow.input, when_exhausted="skip")
def maybe(n: int) -> float:
    return 2.0 * n


@flow.map(over=flow.input)  # error
def element_of_another_type(n: str) -> None: ...


@flow.map(over=double.output)  # error
def element_of_a_map_of_another_type(n: int) -> None: ...


@flow.map(over=flow.input)  # error
def no_parameter_for_the_element() -> None: ...


@flow.map(over=flow.input)
def shared_value_of_another_type(n: int, page: int = page.output) -> None: ...  # error


@flow.step
def element_instead_of_list(n: float = double.output) -> None: ...  # error


@flow.step
def list_may_be_missing(n: list[float] = maybe.output) -> None: ...  # error


def take(n: object) -> None: ...


flow.map(over=page.output).add(take)  # error
flow.map(over=text.output).add(take)  # error
flow.map(over=table.output).add(take)  # error
flow.map(over=double).add(take)  # error
flow.map().add(take)  # error
flow.map(over=flow.input, max_attempt=2)  # error
flow.map(over=flow.input, when_unmet="skip")  # error


def mark(n: int, page: Page, sign: str = "!") -> str:
    return sign


flow.map(over=flow.input).add(mark)  # error
flow.map(over=flow.input).add(mark, text.output)  # error
flow.map(over=double.output).add(mark, page.output)  # error
flow.map(over=flow.input).add(mark, page.output, sing="?")  # error
assert_type(flow.map(over=flow.input).add(mark, page.output).output, str)  # error


@job
def send(ctx: Context, page: Page) -> int:
    return 1


@job  # error
def two_inputs(a: int, b: int) -> int:
    return 1


job(retries=3)  # error
job(timeout=5)  # error
send.dump_input(5)  # error
send(Page(""))  # error
send.main.output.title  # error
