"""Steps that run alone in a test, with what passes through JSON on its way."""

import asyncio
import threading
from dataclasses import dataclass
from datetime import timedelta

import pytest
from pgflow_dsl import Context, Flow, HandlerInputInvalid, HandlerOutputInvalid
from pgflow_dsl.testing import make_context, run_step


@dataclass
class Page:
    """What a step passes on."""

    title: str
    words: tuple[str, ...] = ()


site = Flow("site", input=str, timeout=timedelta(seconds=30))


@site.step
async def fetch(url: str = site.input) -> Page:
    return Page(url.upper(), ("a", "b"))


@site.step
def count(page: Page = fetch.output, *, least: int = 1) -> list[int]:
    return [least, len(page.words), threading.get_ident()]


@site.map(over=count.output)
def double(number: int, ctx: Context) -> str:
    return f"{ctx.flow_slug}.{ctx.step_slug} {2 * number}"


def test_a_step_runs_as_a_worker_runs_it():
    page = asyncio.run(run_step(fetch, "x"))
    assert page == Page("X", ("a", "b"))
    least, words, thread = asyncio.run(run_step(count, page=page, least=3))
    assert (least, words) == (3, 2)
    assert thread != threading.get_ident()


def test_an_ordinary_default_stays():
    assert asyncio.run(run_step(count, Page("x")))[:2] == [1, 0]


def test_a_map_step_runs_for_one_element_with_a_context_of_its_own():
    assert asyncio.run(run_step(double, 4, make_context(flow_slug="mine"))) == "mine.step 8"
    given = {"number": 4}
    assert asyncio.run(run_step(double, **given)) == "site.double 8"  # type: ignore[call-arg]


def test_what_does_not_fit_a_parameter_is_refused_with_its_name():
    wrong: object = {"title": 5}
    with pytest.raises(HandlerInputInvalid, match="page"):
        asyncio.run(run_step(count, wrong))  # type: ignore[arg-type] # that is tested


def test_a_missing_value_is_told_and_not_the_reference_passed():
    with pytest.raises(HandlerInputInvalid, match=r"url.*missing"):
        asyncio.run(run_step(fetch))


def test_an_output_of_another_type_is_refused():
    flow = Flow("liar")

    @flow.step
    async def lie() -> int:
        return "five"  # type: ignore[return-value] # that is tested

    with pytest.raises(HandlerOutputInvalid):
        asyncio.run(run_step(lie))


def test_a_step_is_stopped_at_its_timeout():
    flow = Flow("slow")

    @flow.step(timeout=timedelta(seconds=1))
    async def sleep() -> None:
        await asyncio.sleep(600)

    with pytest.raises(TimeoutError):
        asyncio.run(run_step(sleep))
