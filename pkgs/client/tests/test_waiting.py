"""Waiting for runs, and what comes of them."""

import asyncio
import gc
import weakref
from datetime import timedelta

import pytest
from pgflow_client import AsyncClient, RunCancelled, RunFailed, RunNotFound, WaitTimeout
from pgflow_dsl import Flow

SOON = timedelta(milliseconds=30)


@pytest.mark.direct("nothing is notified there")
async def test_a_wait_is_ended_by_a_notification(db, hand, greet, eventually, no_polling):
    async with AsyncClient(db) as client, AsyncClient(db) as other:
        run = await client.start_flow(greet, "you")
        waits = [
            asyncio.create_task(each.wait()) for each in (run, await other.get_run(run.run_id))
        ]
        await eventually(lambda: len(hand.listeners()) == 2)
        await eventually(lambda: hand.watched() == {run.run_id})
        hand.complete(run.run_id, "hello", "hi")
        for progress in await asyncio.gather(*waits):
            assert (progress.status, progress.remaining_steps) == ("completed", 0)
        assert run.status == "completed"


async def test_a_wait_that_begins_after_the_end_returns_at_once(db, hand, greet, no_polling):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        hand.complete(run.run_id, "hello", "hi")
        assert run.status == "started"
        assert (await run.wait(timedelta(0))).status == "completed"
        assert await run.result() == {"hello": "hi"}


async def test_a_failed_run_raises_with_its_step_and_reason(db, hand, greet, eventually):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        wait = asyncio.create_task(run.wait())
        await eventually(hand.is_waited_for)
        hand.fail(run.run_id, "hello")
        with pytest.raises(
            RunFailed, match="of flow 'greet' failed at step 'hello': boom"
        ) as caught:
            await wait
        assert (caught.value.run_id, caught.value.step_slug) == (run.run_id, "hello")
        assert caught.value.message == "boom"
        with pytest.raises(RunFailed):
            await run.result()


async def test_a_cancelled_run_raises_with_its_reason(db, hand, greet, eventually, no_polling):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        wait = asyncio.create_task(run.wait())
        await eventually(hand.is_waited_for)
        hand.cancel(run.run_id, "not needed")
        with pytest.raises(RunCancelled, match="was cancelled: not needed"):
            await wait


async def test_a_retried_attempt_does_not_end_the_wait(db, hand, greet):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        hand.fail(run.run_id, "hello", is_final=False)
        with pytest.raises(WaitTimeout):
            await run.wait(SOON)
        (step,) = (await run.progress()).steps
        assert (step.status, step.failed_attempts) == ("started", 1)
        hand.complete(run.run_id, "hello")
        await run.wait()


async def test_a_wait_that_times_out_leaves_the_run_alone(db, hand, greet, eventually):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        with pytest.raises(TimeoutError, match=r"has not ended within 0:00:00\.03") as caught:
            await run.wait(SOON)
        assert isinstance(caught.value, WaitTimeout)
        assert (await run.refresh()).status == "started"
        await eventually(lambda: not hand.watched())


@pytest.mark.direct("nothing listens there")
async def test_many_waits_share_one_listening_connection(db, hand, greet, eventually):
    async with AsyncClient(db, max_connections=2) as client:
        runs = await client.start_flows(greet, [str(n) for n in range(200)])
        waits = [asyncio.create_task(run.wait()) for run in runs]
        await eventually(lambda: len(hand.watched()) == 200)
        assert len(hand.listeners()) == 1
        assert len(hand.backends()) <= 3
        hand.claim()
        for run in runs:
            hand.complete(run.run_id, "hello")
        assert {each.status for each in await asyncio.gather(*waits)} == {"completed"}
        await eventually(lambda: not hand.watched())


@pytest.mark.direct("it counts marks and connections of the server's")
async def test_cancelled_waits_leave_nothing_behind(db, hand, greet, eventually):
    async with AsyncClient(db) as client:
        runs = await client.start_flows(greet, [str(n) for n in range(20)])
        waits = [asyncio.create_task(run.wait()) for run in runs for _ in range(2)]
        await eventually(lambda: len(hand.watched()) == 20)
        for wait in waits:
            wait.cancel()
        ended = await asyncio.gather(*waits, return_exceptions=True)
        assert {type(each) for each in ended} == {asyncio.CancelledError}
        await eventually(lambda: not hand.watched())
        # The connections are whole, and nobody kept one.
        assert await asyncio.gather(*(run.refresh() for run in runs)) == runs
    await eventually(lambda: not hand.backends())


@pytest.mark.direct("it counts marks and connections of the server's")
async def test_waits_that_are_cancelled_at_any_moment_leave_nothing_behind(
    db, hand, greet, eventually
):
    async with AsyncClient(db, max_connections=2) as client:
        run = await client.start_flow(greet, "you")
        for turns in range(60):
            wait = asyncio.create_task(run.wait())
            for _ in range(turns):
                await asyncio.sleep(0)
            wait.cancel()
            await asyncio.gather(wait, return_exceptions=True)
        assert (await run.refresh()).status == "started"
        await eventually(lambda: not hand.watched())
        assert len(hand.backends()) <= 3
    await eventually(lambda: not hand.backends())


@pytest.mark.direct("it counts marks and connections of the server's")
async def test_closing_a_client_takes_its_marks_and_connections_away(db, hand, greet, eventually):
    client = AsyncClient(db)
    run = await client.start_flow(greet, "you")
    wait = asyncio.create_task(run.wait())
    await eventually(hand.is_waited_for)
    wait.cancel()
    await client.close()
    await client.close()
    assert hand.watched() == set()
    await eventually(lambda: not hand.backends())


async def test_a_deleted_run_ends_the_wait(db, hand, conn, greet, eventually):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        wait = asyncio.create_task(run.wait())
        await eventually(hand.is_waited_for)
        conn.execute("select pgflow.delete_flow_and_data('greet')")
        with pytest.raises(RunNotFound):
            await wait


async def test_a_run_that_ends_as_it_starts_is_known_to_have_ended(db, hand, no_polling):
    flow = Flow("nothing")
    hand.serve(flow)
    async with AsyncClient(db) as client:
        run = await client.start_flow(flow)
        assert run.status == "completed"
        assert await run.result() == {}


async def test_a_look_that_comes_back_late_does_not_take_a_status_back(db, hand, greet, eventually):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        step = run.step("hello")
        held = asyncio.Event()
        call = client._hub.database.call

        async def call_late(asked):
            answer = await call(asked)
            await held.wait()
            return answer

        client._hub.database.call = call_late
        late = [asyncio.create_task(look()) for look in (run.refresh, step.progress)]
        await eventually(lambda: hand.backends("%get_run_progress%"))
        client._hub.database.call = call
        hand.complete(run.run_id, "hello")
        await step.wait()
        held.set()
        await asyncio.gather(*late)
        assert (run.status, step.status) == ("completed", "completed")
        # What a restart makes of it is no older, whatever it was before.
        await run.restart_from("hello")
        assert (run.status, (await step.progress()).status) == ("started", "started")
        assert step.status == "started"


@pytest.mark.parametrize("patience", [timedelta(0), timedelta(seconds=-1), timedelta.min])
async def test_a_time_that_is_up_is_noticed_after_one_look(db, hand, greet, patience):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        with pytest.raises(WaitTimeout):
            await run.wait(patience)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await run.wait()
        hand.complete(run.run_id, "hello")
        await run.wait(patience)


async def test_all_that_is_known_of_an_ended_run_is_there_for_whoever_finds_it(db, hand, greet):
    async with AsyncClient(db) as one, AsyncClient(db) as other:
        done, failed = await one.start_flows(greet, ["you", "me"])
        hand.complete(done.run_id, "hello", "hi")
        hand.fail(failed.run_id, "hello")
        found = await other.get_run(done.run_id, greet)
        assert found.status == "completed"
        assert await found.step(greet.steps[0]).output() == "hi"
        progress = await (await other.get_run(failed.run_id)).progress()
        assert (progress.error_message, progress.failed_step_slug) == ("boom", "hello")
        assert progress.steps[0].error_message == "boom"


@pytest.mark.direct("it counts marks and connections of the server's")
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_ten_thousand_runs_that_were_watched_leave_nothing_behind(
    db, hand, greet, eventually
):
    count = 10_000
    async with AsyncClient(db) as client:
        runs = await client.start_flows(greet, [str(n) for n in range(count)])
        events = 0

        def note(event):
            nonlocal events
            events += 1

        waits = [asyncio.create_task(run.wait()) for run in runs[: count // 2]]
        subscriptions = [run.on_event(note) for run in runs[count // 2 :]]
        await eventually(lambda: len(hand.watched()) == count)
        assert len(hand.backends()) <= 5
        for begin in range(0, count, 1000):
            hand.complete_all([run.run_id for run in runs[begin : begin + 1000]], "hello")
            await asyncio.sleep(0)
        await asyncio.gather(*waits)
        for subscription in subscriptions:
            await subscription.wait()
        assert events == 4 * (count // 2)
        await eventually(lambda: not hand.watched())
        assert client._hub.subscriptions == set()
        assert client._hub._watcher._watches == {}
        # The listening connection is kept a while, for whoever comes next; nothing else is.
        assert len(asyncio.all_tasks()) == 2
        # What is held of a run goes with its handle.
        handle = weakref.ref(runs[0])
        del runs, waits, subscriptions, subscription
        gc.collect()
        assert handle() is None
    await eventually(lambda: not hand.backends())
