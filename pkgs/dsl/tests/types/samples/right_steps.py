"""Steps and conditions that both checkers accept, with the types they must find."""

from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type

from pydantic import BaseModel

from pgflow_dsl import Context, Flow, Step
from pgflow_dsl.testing import run_step


@dataclass
class Page:
    title: str


class Site(BaseModel):
    url: str


flow = Flow("f", input=Site, max_attempts=3, base_delay=timedelta(seconds=5), jitter=0.1)
assert_type(flow, Flow[Site])
assert_type(flow.input, Site)
assert_type(flow.context, Context)
assert_type(flow.load_input("{}"), Site)
assert_type(Flow("no_input"), Flow[None])
assert_type(Flow("items", input=list[int]), Flow[list[int]])
assert_type(Flow("table", input=dict[str, Page]).input, dict[str, Page])
union = Flow[int | None]("union", input=int | None)
assert_type(union.input, int | None)
annotated: Flow[int | str] = Flow("annotated", input=int | str)


@flow.step
async def fetch(site: Site = flow.input) -> Page:
    return Page(site.url)


stored: Step[..., Coroutine[Any, Any, Page], Page] = fetch
assert_type(fetch.output, Page)
assert_type(fetch.load_output("{}"), Page)


@flow.step(max_attempts=5, timeout=timedelta(seconds=4), executor="process", start_delay=None)
def tags(page: Page = fetch.output) -> list[str]:
    return [page.title]


assert_type(tags.output, list[str])
assert_type(tags(Page("t")), list[str])
assert_type(tags(page=Page("t")), list[str])


@flow.step(executor=ThreadPoolExecutor(1), slug="other", after=[fetch, tags])
def nothing() -> None: ...


assert_type(nothing.output, None)


@flow.step(transactional=True)
async def pay(ctx: Context[list[str]], page: Page = fetch.output) -> str:
    assert_type(ctx.resources, list[str])
    assert_type(ctx.connection, Any)
    return ctx.resources[0]


assert_type(pay.output, str)


@flow.step(when_exhausted="skip")
async def maybe(ctx: Context, page: Page = fetch.output) -> int:
    return ctx.attempt


assert_type(maybe.output, int | None)


@flow.step(when_exhausted="skip-cascade")
def cascading(page: Page = fetch.output) -> int:
    return 1


assert_type(cascading.output, int)


@flow.step(when={fetch: {"title": "x"}, flow: {"url": "y"}, tags: ["a", 1, None, {"b": True}]})
async def conditional(page: Page = fetch.output) -> int:
    return 1


assert_type(conditional.output, int | None)


@flow.step(when_not={flow: {"url": "y"}}, when_unmet="skip", max_attempts=1)
def unless(page: Page = fetch.output) -> int:
    return 1


assert_type(unless.output, int | None)


@flow.step(when={fetch: {"title": "x"}}, when_unmet="skip-cascade")
def met_or_none_after(page: Page = fetch.output) -> int:
    return 1


assert_type(met_or_none_after.output, int)


@flow.step(when_not={fetch: {"title": "x"}}, when_unmet="fail", when_exhausted="skip")
def both(page: Page = fetch.output) -> int:
    return 1


assert_type(both.output, int | None)


@flow.step
async def publish(
    ctx: Context,
    number: int | None = maybe.output,
    sure: float = cascading.output,
    factor: int = 3,
    *,
    site: Site = flow.input,
) -> None: ...


def plain(page: Page, n: int = 3, *, flag: bool = False) -> bytes:
    return b""


async def with_context(ctx: Context, page: Page) -> bytes:
    return b""


added = flow.add(plain, fetch.output, n=cascading.output)
assert_type(added.output, bytes)
skippable = flow.step(slug="again", when_exhausted="skip").add(
    with_context, flow.context, page=fetch.output
)
assert_type(skippable.output, bytes | None)


async def call() -> None:
    assert_type(await fetch(Site(url="x")), Page)
    assert_type(await fetch(), Page)
    assert_type(await run_step(fetch, Site(url="x")), Page)
    assert_type(await run_step(added, Page("x"), flag=True), bytes)
