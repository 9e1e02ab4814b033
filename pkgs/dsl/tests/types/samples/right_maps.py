"""Maps and jobs that both checkers accept, with the types they must find."""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import assert_type

from pgflow_dsl import Context, Flow, Job, job


@dataclass
class Page:
    title: str


flow = Flow("f", input=list[int])


@flow.map(over=flow.input)
def double(n: int) -> float:
    return 2.0 * n


assert_type(double.output, list[float])
assert_type(double(1), float)


@flow.map(over=double.output, max_attempts=2)
async def half(n: float) -> Page:
    return Page(str(n))


assert_type(half.output, list[Page])


@flow.step
def names(pages: list[Page] = half.output) -> Sequence[str]:
    return [page.title for page in pages]


@flow.step(when_exhausted="skip")
def pairs() -> tuple[str, ...]:
    return ()


@flow.step
def unique() -> set[str]:
    return set()


@flow.map(over=names.output)
def named(ctx: Context, name: str, pages: list[Page] = half.output) -> int:
    return ctx.task_index


assert_type(named.output, list[int])


@flow.map(over=pairs.output, when_exhausted="skip")
async def paired(name: str, *, ctx: Context, all: list[int] = flow.input) -> int:
    return ctx.task_index


assert_type(paired.output, list[int] | None)


@flow.map(over=unique.output, when={names: ["a"]}, when_unmet="fail")
def single(name: object) -> int:
    return 1


assert_type(single.output, list[int])


def mark(name: str, pages: list[Page], sign: str = "!") -> str:
    return name + sign


async def mark_in_context(ctx: Context, name: str, pages: list[Page]) -> str:
    return name


marked = flow.map(over=names.output, slug="marked").add(mark, half.output, sign="?")
assert_type(marked.output, list[str])
again = flow.map(over=names.output, when_exhausted="skip").add(mark_in_context, pages=half.output)
assert_type(again.output, list[str] | None)


@job
async def send(page: Page) -> int:
    return 1


@job(max_attempts=3, slug="other")
def send_in_context(ctx: Context, page: Page) -> int:
    return 1


@job
def ping() -> str:
    return ""


@job
async def ping_in_context(ctx: Context) -> str:
    return ""


assert_type(send, Job[[Page], Coroutine[None, None, int], Page, int])
assert_type(send.main.output, int)
assert_type(send_in_context, Job[[Context, Page], int, Page, int])
assert_type(ping, Job[[], str, None, str])
assert_type(ping.input, None)
assert_type(ping_in_context.main.output, str)


def start(flow: Flow[Page], input: Page) -> None: ...


start(send, Page(""))
start(send_in_context, Page(""))
