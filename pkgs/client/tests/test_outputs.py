"""Outputs of steps and runs, typed and not."""

from dataclasses import dataclass

import pytest
from pgflow_client import AsyncClient, StepNotCompleted, StepNotFound, WrongFlow
from pgflow_dsl import Flow, HandlerOutputInvalid


@dataclass
class Page:
    title: str


@pytest.fixture
def site(hand):
    flow = Flow("site", input=str)

    @flow.step
    def fetch(url: str = flow.input) -> Page: ...

    @flow.step
    def words(page: Page = fetch.output) -> list[str]: ...

    @flow.map(over=words.output)
    def score(word: str) -> float: ...

    @flow.step(when={fetch: {"title": "de"}})
    def translate(page: Page = fetch.output) -> str: ...

    @flow.step(when={fetch: {"title": "fr"}}, when_unmet="skip-cascade")
    def french(page: Page = fetch.output) -> str: ...

    @flow.step
    def french_words(text: str = french.output) -> list[str]: ...

    hand.serve(flow)
    return flow


def drive(hand, run_id):
    hand.complete(run_id, "fetch", {"title": "a"})
    hand.complete(run_id, "words", ["x", "y"])
    hand.complete(run_id, "score", 0, index=1)
    hand.complete(run_id, "score", 1.5, index=0)


async def test_outputs_come_back_as_the_types_that_steps_declare(db, hand, site):
    steps = {step.slug: step for step in site.steps}
    async with AsyncClient(db) as client:
        run = await client.start_flow(site, "u")
        drive(hand, run.run_id)
        await run.wait()
        assert await run.output_of(steps["fetch"]) == Page("a")
        assert await run.output_of(steps["score"]) == [1.5, 0.0]
        assert await run.output_of("fetch") == {"title": "a"}
        assert await run.result() == {"score": [1.5, 0]}


async def test_a_skipped_step_gives_none_where_its_type_says_so_and_an_error_elsewhere(
    db, hand, site
):
    steps = {step.slug: step for step in site.steps}
    async with AsyncClient(db) as client:
        run = await client.start_flow(site, "u")
        drive(hand, run.run_id)
        assert await run.output_of(steps["translate"]) is None
        assert await run.output_of("french_words") is None
        with pytest.raises(StepNotCompleted, match=r"was skipped \(dependency_skipped\)") as caught:
            await run.output_of(steps["french_words"])
        assert caught.value.status == "skipped"


async def test_a_step_that_has_not_completed_has_no_output_yet(db, hand, site):
    async with AsyncClient(db) as client:
        run = await client.start_flow(site, "u")
        with pytest.raises(StepNotCompleted, match=r"'words' .* is not completed yet; wait"):
            await run.output_of("words")
        hand.fail(run.run_id, "fetch")
        with pytest.raises(StepNotCompleted, match=r"'fetch' .* it failed \(boom\)"):
            await run.output_of("fetch")
        with pytest.raises(StepNotCompleted, match="it was cancelled"):
            await run.output_of("words")


async def test_a_step_of_another_flow_is_refused(db, site, greet):
    async with AsyncClient(db) as client:
        run = await client.start_flow(site, "u")
        with pytest.raises(WrongFlow, match="of flow 'site', but <single step 'hello' of flow"):
            await run.output_of(greet.steps[0])


async def test_a_step_that_the_database_does_not_know_is_named(db, site):
    async with AsyncClient(db) as client:
        run = await client.start_flow(site, "u")
        with pytest.raises(StepNotFound, match="of flow 'site' has no step 'later'") as caught:
            await run.output_of("later")
        assert (caught.value.run_id, caught.value.step_slug) == (run.run_id, "later")


async def test_an_output_that_the_step_does_not_declare_any_more_is_refused(db, hand, site):
    async with AsyncClient(db) as client:
        run = await client.start_flow(site, "u")
        hand.complete(run.run_id, "fetch", {"name": "a"})
        with pytest.raises(HandlerOutputInvalid, match="title: Field required"):
            await run.output_of(site.steps[0])


@pytest.mark.parametrize("output", [0, False, "", None, [], {}, 0.0, "null", "123", '"'])
async def test_falsy_outputs_and_those_that_look_like_json_come_back_as_themselves(
    db, hand, greet, output
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        hand.complete(run.run_id, "hello", output)
        got, result = await run.output_of("hello"), await run.result()
    assert (type(got), got) == (type(output), output)
    assert result == {"hello": output}


@pytest.mark.parametrize("output", [0, False, "", None])
async def test_falsy_outputs_come_back_typed(db, hand, output):
    flow = Flow("falsy")

    def give() -> int | str | None: ...

    give.__annotations__["return"] = type(output) if output is not None else None
    step = flow.step(give)
    hand.serve(flow)
    async with AsyncClient(db) as client:
        run = await client.start_flow(flow)
        hand.complete(run.run_id, "give", output)
        got = await run.output_of(step)
    assert (type(got), got) == (type(output), output)
