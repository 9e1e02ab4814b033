"""Steps and conditions with mistakes: both checkers report each marked line."""

from dataclasses import dataclass
from datetime import timedelta

from pgflow_dsl import Context, Flow, compile_flow


@dataclass
class Page:
    title: str


flow = Flow("f", input=str)


@flow.step
async def fetch(url: str = flow.input) -> Page:
    return Page(url)


@flow.step
def tags(page: Page = fetch.output) -> list[str]:
    return [page.title]


@flow.step(when_exhausted="skip")
def maybe(page: Page = fetch.output) -> int:
    return 1


@flow.step(when={fetch: {"title": "a"}})
def conditional(page: Page = fetch.output) -> int:
    return 1


@flow.step
def input_of_another_type(n: int = flow.input) -> None: ...  # error


@flow.step
def output_of_another_type(page: str = fetch.output) -> None: ...  # error


@flow.step
def step_instead_of_output(page: Page = fetch) -> None: ...  # error


@flow.step
def flow_instead_of_input(url: str = flow) -> None: ...  # error


@flow.step
def output_may_be_missing(n: int = maybe.output) -> None: ...  # error


@flow.step
def output_may_be_missing_for_a_condition(n: int = conditional.output) -> None: ...  # error


@flow.step
def field_that_is_not_there(title: str = fetch.output.titel) -> None: ...  # error


@flow.step
def wrong_return(page: Page = fetch.output) -> int:
    return page.title  # error


@flow.step
def list_of_another_type(n: list[int] = tags.output) -> None: ...  # error


@flow.step
def output_for_context(ctx: Context = fetch.output) -> None: ...  # error


flow.step(max_attempt=3)  # error
flow.step(max_attempts="3")  # error
flow.step(timeout=60)  # error
flow.step(executor="threads")  # error
flow.step(when_exhausted="ignore")  # error
flow.step(when_unmet="skip")  # error
flow.step(when={fetch: {"a": 1}}, when_unmet="never")  # error
flow.step(when={"fetch": {"a": 1}})  # error
flow.step(when={fetch: {1: 1}})  # error
flow.step(when={fetch: {"a": Page("")}})  # error
flow.step(when={fetch.output: {"a": 1}})  # error
flow.step(after=[fetch.output])  # error
flow.step(after=fetch)  # error
flow.step(after=["fetch"])  # error


def plain(page: Page, n: int = 3, *, flag: bool = False) -> bytes:
    return b""


flow.add(plain)  # error
flow.add(plain, flow.input)  # error
flow.add(plain, fetch.output, maybe.output)  # error
flow.add(plain, fetch.output, falg=True)  # error
flow.step(max_attempts=3).add(plain, flow.input)  # error
flow.step(when_exhausted="skip").add(plain, flow.input)  # error
flow.add(5)  # error
Flow(5)  # error
Flow("g", inputs=str)  # error
Flow("g", input=str, timeout=60)  # error
Flow("g", input=str, max_delay=timedelta(seconds=1), jitter="a")  # error
compile_flow(fetch)  # error
flow.dump_input(5)  # error
flow.slug = "other"  # error
tags(5)  # error
tags(pgae=Page(""))  # error
tags(Page("")).title  # error
