"""What a run handle does to its run, and what it knows of single steps and of failures."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest
from pgflow_client import (
    AsyncClient,
    Client,
    ClientClosed,
    CursorInvalid,
    RunCancelled,
    RunCompleted,
    RunEnded,
    RunFailed,
    RunNotFound,
    StepNotCompleted,
    StepNotFound,
    WaitTimeout,
    WrongFlow,
)
from pgflow_dsl import Flow, job

from tests.support import until

SOON = timedelta(milliseconds=30)


@dataclass
class Page:
    title: str


@pytest.fixture
def pair(hand):
    """A flow of two steps, one after the other."""
    flow = Flow("pair", input=str)

    @flow.step
    def fetch(url: str = flow.input) -> Page: ...

    @flow.step(when_exhausted="skip")
    def summary(page: Page = fetch.output) -> str: ...

    @flow.step
    def publish(page: Page = fetch.output, text: str | None = summary.output) -> int: ...

    hand.serve(flow)
    return flow


async def test_a_failure_carries_the_attempt_and_its_traceback(db, hand, conn, pair):
    async with AsyncClient(db) as client:
        run = await client.start_flow(pair, "u")
        hand.fail(run.run_id, "fetch", is_final=False)
        hand.claim()
        conn.execute(
            "select pgflow.fail_tasks(%s, array['fetch'], array[0], array['boom'], null,"
            " array[true], null, array['ValueError'], array['Traceback ...'])",
            ([run.run_id],),
        )
        with pytest.raises(RunFailed, match="failed at step 'fetch': boom") as caught:
            await run.wait()
        failure = caught.value
        assert (failure.step_slug, failure.task_index, failure.attempt) == ("fetch", 0, 2)
        assert (failure.error_type, failure.traceback) == ("ValueError", "Traceback ...")


async def test_a_condition_that_fails_a_run_has_no_attempt_to_tell_of(db, hand):
    flow = Flow("strict", input=dict[str, int])

    @flow.step(when=None)
    def first(value: dict[str, int] = flow.input) -> dict[str, int]: ...

    @flow.step(when={first: {"wanted": 1}}, when_unmet="fail")
    def second(value: dict[str, int] = first.output) -> int: ...

    hand.serve(flow)
    async with AsyncClient(db) as client:
        run = await client.start_flow(flow, {})
        hand.fail(run.run_id, "first", is_final=False)
        hand.complete(run.run_id, "first", {})
        with pytest.raises(RunFailed, match="at step 'second': condition not met") as caught:
            await run.wait()
        assert (caught.value.attempt, caught.value.traceback) == (None, None)


async def test_a_run_is_cancelled_with_a_reason_once(db, hand, pair):
    async with AsyncClient(db) as client:
        run = await client.start_flow(pair, "u")
        assert await run.cancel("not needed") is run
        assert run.status == "cancelled"
        await run.cancel("another reason")
        with pytest.raises(RunCancelled, match="not needed"):
            await run.wait()


async def test_a_run_that_failed_goes_on_when_it_is_retried(db, hand, pair):
    async with AsyncClient(db) as client:
        run = await client.start_flow(pair, "u")
        hand.complete(run.run_id, "fetch", {"title": "a"})
        hand.complete(run.run_id, "summary", "a")
        hand.fail(run.run_id, "publish")
        with pytest.raises(RunFailed):
            await run.wait()
        assert (await run.retry()).status == "started"
        hand.complete(run.run_id, "publish", 3)
        assert await run.result() == {"publish": 3}
        with pytest.raises(RunCompleted, match="nothing to retry: restart_run repeats a step"):
            await run.retry()


async def test_a_step_is_repeated_with_all_that_depends_on_it(db, hand, pair):
    fetch, summary, publish = pair.steps
    async with AsyncClient(db) as client:
        run = await client.start_flow(pair, "u")
        hand.complete(run.run_id, "fetch", {"title": "a"})
        hand.complete(run.run_id, "summary", "a")
        hand.complete(run.run_id, "publish", 3)
        await run.wait()
        assert (await run.restart_from(publish)).status == "started"
        assert await run.output_of(summary) == "a"
        hand.complete(run.run_id, "publish", 4)
        assert await run.result_of(publish) == 4
        await run.restart_from("fetch")
        with pytest.raises(StepNotCompleted):
            await run.output_of(fetch)


async def test_steering_what_is_not_there_is_refused_by_name(db, hand, conn, pair, greet):
    async with AsyncClient(db) as client:
        run = await client.start_flow(pair, "u")
        hello = greet.steps[0]
        for use in (run.restart_from, run.output_of, run.result_of):
            with pytest.raises(WrongFlow):
                await use(hello)
        with pytest.raises(WrongFlow):
            run.step(hello)
        with pytest.raises(TypeError, match="a step is a Step or the slug of one, not 5"):
            run.step(5)
        with pytest.raises(StepNotFound, match="flow pair has no step later"):
            await run.restart_from("later")
        with pytest.raises(StepNotFound, match="of flow 'pair' has no step 'later'"):
            await run.step("later").wait()
        conn.execute("select pgflow.delete_flow_and_data('pair')")
        for use in (run.cancel, run.retry, lambda: run.restart_from("fetch")):
            with pytest.raises(RunNotFound):
                await use()


async def test_a_step_is_waited_for_while_its_run_goes_on(db, hand, pair, eventually, no_polling):
    fetch, summary, publish = pair.steps
    async with AsyncClient(db) as client:
        run = await client.start_flow(pair, "u")
        step = run.step(fetch)
        assert step.status == "created"
        assert (await step.progress()).status == step.status == "started"
        output = asyncio.create_task(step.output())
        await eventually(hand.is_waited_for)
        hand.complete(run.run_id, "fetch", {"title": "a"})
        assert await output == Page("a")
        assert (step.status, run.status) == ("completed", "started")
        with pytest.raises(WaitTimeout):
            await run.step(publish).wait(SOON)
        hand.fail(run.run_id, "summary")
        assert (await run.step(summary).wait()).status == "skipped"
        assert await run.step(summary).output() is None
        assert await run.step("summary").output() is None
        hand.complete(run.run_id, "publish", 3)
        assert await run.step("publish").output() == 3


async def test_a_step_that_can_never_be_done_raises_what_ended_its_run(db, hand, pair):
    fetch, _, publish = pair.steps
    async with AsyncClient(db) as client:
        one, two = await client.start_flows(pair, ["u", "v"])
        hand.fail(one.run_id, "fetch")
        await two.cancel("enough")
        for step in (fetch, publish):
            with pytest.raises(RunFailed, match="at step 'fetch'"):
                await one.step(step).wait()
            with pytest.raises(RunCancelled, match="enough"):
                await two.step(step).output()


async def test_a_step_that_was_done_is_done_whatever_became_of_its_run(db, hand, pair):
    async with AsyncClient(db) as client:
        run = await client.start_flow(pair, "u")
        hand.complete(run.run_id, "fetch", {"title": "a"})
        await run.cancel()
        assert await run.step(pair.steps[0]).output() == Page("a")


async def test_the_result_of_a_job_is_what_its_function_returns(db, hand):
    @job
    def load(url: str) -> Page: ...

    hand.serve(load)
    async with AsyncClient(db) as client:
        run = await client.start_flow(load, "u")
        hand.complete(run.run_id, "load", {"title": "a"})
        assert await run.result() == Page("a")
        assert await (await client.get_run(run.run_id, load)).result() == Page("a")
        assert await (await client.get_run(run.run_id)).result() == {"load": {"title": "a"}}


async def test_a_function_is_called_with_each_event(db, hand, pair, eventually, no_polling):
    async with AsyncClient(db) as client:
        run = await client.start_flow(pair, "u")
        plain, awaited = [], []

        async def note(event):
            await asyncio.sleep(0)
            awaited.append(event)

        subscriptions = [run.on_event(plain.append), run.on_event(note)]
        await eventually(lambda: len(plain) == len(awaited) == 2)
        hand.fail(run.run_id, "fetch")
        for subscription in subscriptions:
            await subscription.wait()
            assert subscription.cursor == plain[-1].cursor
        assert plain == awaited == [event async for event in run.events()]
        assert run.status == "failed"
        rest = []
        await run.on_event(rest.append, after=plain[2].cursor).wait()
        assert rest == plain[3:]


async def test_a_subscription_that_is_closed_is_told_nothing_more(db, hand, greet, eventually):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        events = []
        async with run.on_event(events.append):
            await eventually(hand.is_waited_for)
        at_once = run.on_event(events.append)
        await at_once.close()
        hand.complete(run.run_id, "hello")
        await at_once.wait()
        assert not any(isinstance(event, RunEnded) for event in events)
        await eventually(lambda: not hand.watched())


async def test_closing_a_client_closes_its_subscriptions(db, hand, greet, eventually):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        subscription = run.on_event(lambda event: None)
        await eventually(hand.is_waited_for)
    await subscription.wait()
    with pytest.raises(ClientClosed):
        await run.on_event(lambda event: None).wait()


async def test_a_function_that_raises_ends_its_subscription_and_no_other(db, hand, greet, caplog):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        events = []

        def stumble(event):
            raise LookupError("no such place")

        stumbling, steady = run.on_event(stumble), run.on_event(events.append)
        with pytest.raises(LookupError, match="no such place"):
            await stumbling.wait()
        assert stumbling.cursor is None
        hand.complete(run.run_id, "hello")
        await steady.wait()
        assert len(events) == 4
    assert "no such place" in caplog.text


async def test_a_function_may_close_its_own_subscription(db, hand, greet):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        events = []

        async def first_only(event):
            events.append(event)
            await subscription.close()

        subscription = run.on_event(first_only)
        await subscription.wait()
        assert len(events) == 1


async def test_a_subscription_refuses_what_is_no_cursor_at_once(db, hand, greet):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        with pytest.raises(CursorInvalid):
            run.on_event(lambda event: None, after="nonsense")


def test_threads_do_the_same(db, hand, pair):
    fetch = pair.steps[0]
    with Client(db) as client:
        run = client.start_flow(pair, "u")
        events, closed = [], []
        subscription = run.on_event(events.append)
        with run.on_event(closed.append):
            until(lambda: len(events) == len(closed) == 2)
        hand.complete(run.run_id, "fetch", {"title": "a"})
        assert run.step(fetch).output() == Page("a")
        run.cancel("enough")
        subscription.wait()
        assert isinstance(events[-1], RunEnded)
        assert len(closed) == 2
        run.retry()
        open_end = run.on_event(events.append)
    open_end.wait()
