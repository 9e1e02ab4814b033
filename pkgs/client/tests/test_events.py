"""The events of a run: snapshot, then changes, each once and in order."""

import asyncio

import pytest
from pgflow_client import (
    AsyncClient,
    AttemptsFailed,
    MapProgressed,
    RunEnded,
    RunNotFound,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from pgflow_dsl import Flow


def told(event):
    """An event as a word or two, without instants."""
    match event:
        case StepStarted(step_slug=slug, tasks=tasks):
            return f"{slug} started {tasks}"
        case MapProgressed(step_slug=slug, done=done, total=total):
            return f"{slug} {done}/{total}"
        case AttemptsFailed(step_slug=slug, failed_attempts=count):
            return f"{slug} failed {count} times"
        case StepSkipped(step_slug=slug, reason=reason):
            return f"{slug} skipped: {reason}"
        case StepFailed(step_slug=slug, error_message=message):
            return f"{slug} failed: {message}"
        case RunEnded(status=status):
            return f"run {status}"
    name = type(event).__name__.removeprefix("Step").removeprefix("Run").lower()
    return f"{getattr(event, 'step_slug', 'run')} {name}"


@pytest.fixture
def site(hand):
    flow = Flow("site", input=str, max_attempts=3)

    @flow.step
    def fetch(url: str = flow.input) -> dict[str, str]: ...

    @flow.step
    def links(page: dict[str, str] = fetch.output) -> list[str]: ...

    @flow.map(over=links.output)
    def check(link: str) -> int: ...

    @flow.step(when={fetch: {"language": "de"}})
    def translate(page: dict[str, str] = fetch.output) -> str: ...

    @flow.step
    def report(scores: list[int] = check.output, text: str | None = translate.output) -> str: ...

    hand.serve(flow)
    return flow


START = ["run started", "fetch started 1"]
FETCHED = ["fetch completed", "translate skipped: condition_unmet", "links started 1"]
END = ["report completed", "run completed"]


async def test_each_change_is_told_once_and_in_order(
    db, hand, site, eventually, follow, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(site, "u")
        events, following = follow(run)
        expected = []

        async def expect(*more):
            expected.extend(more)
            await eventually(lambda: len(events) >= len(expected))
            assert [told(event) for event in events] == expected

        await expect(*START)
        await eventually(hand.is_waited_for)
        hand.complete(run.run_id, "fetch", {"language": "en"})
        await expect(*FETCHED)
        hand.complete(run.run_id, "links", ["a", "b", "c"])
        await expect("links completed", "check started 3")
        hand.complete(run.run_id, "check", 1, index=1)
        await expect("check 1/3")
        hand.fail(run.run_id, "check", index=0, is_final=False)
        await expect("check failed 1 times")
        hand.complete(run.run_id, "check", 1, index=0)
        await expect("check 2/3")
        hand.complete(run.run_id, "check", 1, index=2)
        await expect("check completed", "report started 1")
        hand.complete(run.run_id, "report", "done")
        await expect(*END)
        await following
        assert {event.run_id for event in events} == {run.run_id}


async def test_an_iterator_that_is_opened_after_the_end_tells_the_whole_history(db, hand, site):
    async with AsyncClient(db) as client:
        run = await client.start_flow(site, "u")
        hand.complete(run.run_id, "fetch", {"language": "en"})
        hand.complete(run.run_id, "links", [])
        hand.fail(run.run_id, "report", is_final=False)
        hand.complete(run.run_id, "report", "done")
        events = [event async for event in run.events()]
        assert [told(event) for event in events] == [
            *START,
            "fetch completed",
            "links started 1",
            "links completed",
            *(each for each in (told(event) for event in events) if each == "check started 0"),
            "check completed",
            "translate skipped: condition_unmet",
            "report started 1",
            "report failed 1 times",
            *END,
        ]
        assert [event async for event in run.events()] == events


async def test_a_failure_is_told_before_what_it_cancels_and_the_end_last(
    db, hand, site, eventually, follow
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(site, "u")
        events, following = follow(run)
        await eventually(lambda: events)
        hand.fail(run.run_id, "fetch")
        await following
        assert [told(event) for event in events] == [
            *START,
            "fetch failed 1 times",
            "fetch failed: boom",
            "links cancelled",
            "check cancelled",
            "translate cancelled",
            "report cancelled",
            "run failed",
        ]
        assert (events[-1].error_message, events[-1].failed_step_slug) == ("boom", "fetch")


async def test_a_cancelled_run_ends_its_events(db, hand, greet, eventually, follow):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        events, following = follow(run)
        await eventually(lambda: events)
        hand.cancel(run.run_id)
        await following
        assert [told(event) for event in events][2:] == ["hello cancelled", "run cancelled"]


async def test_two_clients_are_told_the_same(db, hand, site, eventually, follow):
    async with AsyncClient(db) as one, AsyncClient(db) as two:
        run = await one.start_flow(site, "u")
        first, following_first = follow(run)
        second, following_second = follow(await two.get_run(run.run_id))
        await eventually(lambda: first and second)
        hand.complete(run.run_id, "fetch", {"language": "en"})
        hand.complete(run.run_id, "links", [])
        hand.complete(run.run_id, "report", "done")
        await asyncio.gather(following_first, following_second)
        # Where both looked at the same moments their order is the same, too.
        assert sorted(map(told, first)) == sorted(map(told, second))
        assert told(first[-1]) == told(second[-1]) == "run completed"


async def test_every_event_says_when_it_was(db, hand, site, eventually, follow):
    async with AsyncClient(db) as client:
        run = await client.start_flow(site, "u")
        events, following = follow(run)
        await eventually(lambda: len(events) == 2)
        hand.fail(run.run_id, "fetch", is_final=False)
        await eventually(lambda: len(events) == 3)
        hand.complete(run.run_id, "fetch", {"language": "en"})
        hand.complete(run.run_id, "links", ["a", "b"])
        hand.complete(run.run_id, "check", 1, index=0)
        await eventually(lambda: told(events[-1]) == "check 1/2")
        hand.complete(run.run_id, "check", 1, index=1)
        hand.complete(run.run_id, "report", "done")
        await following
        kinds = {type(event) for event in events}
        assert {AttemptsFailed, MapProgressed} < kinds
        # One thing was done after the other here, and looked at in between.
        instants = [event.at for event in events if not isinstance(event, StepSkipped)]
        assert instants == sorted(instants)
        # A failure is the same for whoever reads of it later; what was counted, was counted then.
        (failed,) = [event for event in events if isinstance(event, AttemptsFailed)]
        later = [event async for event in run.events() if isinstance(event, AttemptsFailed)]
        assert [event.at for event in later] == [failed.at]


@pytest.mark.direct("nothing is marked there")
async def test_an_abandoned_iterator_leaves_no_mark(db, hand, greet, eventually):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        async for _ in run.events():
            await eventually(hand.is_waited_for)
            break
        await eventually(lambda: not hand.watched())


async def test_a_run_that_does_not_exist_has_no_events(db, hand, conn, greet):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        conn.execute("select pgflow.delete_flow_and_data('greet')")
        with pytest.raises(RunNotFound):
            await anext(run.events())


async def test_a_large_map_is_told_in_few_events(db, hand, conn, eventually, follow):
    flow = Flow("wide", input=list[int])

    @flow.map(over=flow.input)
    def double(number: int) -> int: ...

    hand.serve(flow)
    async with AsyncClient(db) as client:
        run = await client.start_flow(flow, list(range(300)))
        events, following = follow(run)
        await eventually(lambda: len(events) == 2)
        hand.claim()
        for index in range(300):
            hand.complete(run.run_id, "double", 1, index=index)
        await following
        done = [event.done for event in events if isinstance(event, MapProgressed)]
        assert done == sorted(set(done))
        assert [told(event) for event in events][-2:] == ["double completed", "run completed"]
