"""The example that the documentation opens with: it is defined, wired and run as it stands."""

import asyncio
from datetime import timedelta
from typing import Any

from pgflow_dsl import Context, Flow
from pydantic import BaseModel


class Site(BaseModel):
    url: str


class Page(BaseModel):
    title: str
    language: str = "en"


class Score(BaseModel):
    value: float


analyze = Flow("analyze_site", input=Site, max_attempts=3, timeout=timedelta(seconds=60))


@analyze.step
async def fetch(site: Site = analyze.input) -> Page:
    return Page(title=f"Title of {site.url}")


@analyze.step(max_attempts=5)
def tags(page: Page = fetch.output) -> list[str]:
    return page.title.split()


@analyze.map(over=tags.output)
async def score(tag: str) -> Score:
    return Score(value=len(tag))


@analyze.step(when_exhausted="skip")
async def summarize(ctx: Context, page: Page = fetch.output) -> str:
    return f"{page.title} by {ctx.step_slug}"


@analyze.step(when={fetch: {"language": "en"}}, after=[score])
async def publish(
    summary: str | None = summarize.output, scores: list[Score] = score.output
) -> None:
    assert summary is None or len(scores) == len(summary.split())


def test_steps_stand_in_the_order_of_their_definition() -> None:
    assert analyze.steps == (fetch, tags, score, summarize, publish)


def test_edges_come_from_defaults_maps_conditions_and_after() -> None:
    assert fetch.dependencies == ()
    assert tags.dependencies == (fetch,)
    assert score.dependencies == (tags,)
    assert publish.delivered == (summarize, score)
    # The condition looks at fetch, so it has to be done, but its output is not delivered. The
    # output of score is, so that `after` adds nothing.
    assert publish.after == (fetch,)


def test_a_step_is_called_as_the_function_it_is_made_of(context: Context) -> None:
    page = asyncio.run(fetch(Site(url="a.example")))
    assert page == Page(title="Title of a.example")
    assert tags(page) == ["Title", "of", "a.example"]
    assert asyncio.run(summarize(context, page=page)) == "Title of a.example by step"


def test_the_whole_flow_runs_on_json_alone(context: Context) -> None:
    site = analyze.dump_input(Site(url="a.example"))
    outputs: dict[str, str] = {}

    def run(step: Any, input: str) -> str:
        args, kwargs = step.bind(input, site, None, context)
        result = step(*args, **kwargs)
        return str(step.dump_output(asyncio.run(result) if step.is_async else result))

    outputs["fetch"] = run(fetch, "{}")
    outputs["tags"] = run(tags, f'{{"fetch": {outputs["fetch"]}}}')
    elements = [run(score, f'"{tag}"') for tag in tags.load_output(outputs["tags"])]
    outputs["score"] = f"[{','.join(elements)}]"
    outputs["summarize"] = run(summarize, f'{{"fetch": {outputs["fetch"]}}}')
    delivered = f'{{"score": {outputs["score"]}, "summarize": {outputs["summarize"]}}}'
    assert run(publish, delivered.replace(" by step", "")) == "null"
    assert score.load_output(outputs["score"])[1] == Score(value=2)
