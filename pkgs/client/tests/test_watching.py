"""What watching costs: one connection, and nothing while nothing happens."""

import asyncio
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient, RunNotFound, _marks
from pgflow_dsl import Flow

pytestmark = pytest.mark.direct("marks and notifications are what it is about")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that clients call, as they call them."""
    from pgflow_client._async import database, watcher

    called: list[str] = []
    execute = database.execute

    async def note(conn: Any, call: Any) -> Any:
        called.append(call.sql.partition("pgflow.")[2].partition("(")[0])
        return await execute(conn, call)

    monkeypatch.setattr(database, "execute", note)
    monkeypatch.setattr(watcher, "execute", note)
    return called


@pytest.fixture
def two_steps(hand: Any) -> Flow[int]:
    """A flow of two steps, one after the other."""
    flow = Flow("two_steps", input=int)

    @flow.step
    def first(number: int = flow.input) -> int:
        return number

    @flow.step
    def second(number: int = first.output) -> int:
        return number

    hand.serve(flow)
    return flow


async def rest(calls: list[str]) -> None:
    """Wait until all that is watched has been marked and looked at, and nothing follows."""
    count = -1
    while count != len(calls):
        count = len(calls)
        await asyncio.sleep(0.2)


async def test_a_thousand_watchers_share_a_connection_and_cost_nothing_while_nothing_happens(
    db, hand, greet, eventually, calls
):
    async with AsyncClient(db) as client:
        runs = await client.start_flows(greet, [str(n) for n in range(1000)])
        waits = [asyncio.create_task(run.wait()) for run in runs]
        await eventually(lambda: len(hand.watched()) == 1000)
        await eventually(lambda: calls.count("get_run_progress") >= 2000)
        await rest(calls)
        before = hand.activity()
        assert len(before) <= 5
        assert len(hand.listeners()) == 1
        calls.clear()
        await asyncio.sleep(0.5)
        assert (calls, hand.activity()) == ([], before)
        hand.complete_all([run.run_id for run in runs], "hello")
        await asyncio.gather(*waits)
        assert calls.count("get_run_progress") == 1000
        await eventually(lambda: not hand.watched())


async def test_a_renewal_is_two_statements_however_many_runs_are_watched(
    db, hand, greet, eventually, calls, monkeypatch
):
    monkeypatch.setattr(_marks, "RENEWAL", 0.03)
    async with AsyncClient(db) as client:
        runs = await client.start_flows(greet, [str(n) for n in range(20)])
        waits = [asyncio.create_task(run.wait()) for run in runs]
        await eventually(lambda: calls.count("watch_runs") >= 5)
        calls.clear()
        await eventually(lambda: calls.count("watch_runs") >= 5)
        assert set(calls) == {"watch_runs", "get_run_versions"}
        assert calls.count("get_run_versions") <= calls.count("watch_runs") + 3
        hand.complete_all([run.run_id for run in runs], "hello")
        await asyncio.gather(*waits)


async def test_a_change_that_nobody_told_of_is_found_at_the_next_renewal(
    db, hand, greet, eventually, calls, monkeypatch, no_polling
):
    monkeypatch.setattr(_marks, "RENEWAL", 0.3)
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        wait = asyncio.create_task(run.wait())
        await eventually(hand.watched)
        await eventually(lambda: calls.count("get_run_progress") == 2)
        with hand.conn.transaction():
            hand.conn.execute("delete from pgflow.run_watchers")
            hand.complete(run.run_id, "hello")
        await wait


async def test_who_comes_to_watch_a_run_that_is_watched_already_is_told_as_well(
    db, hand, greet, eventually, calls, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        first = asyncio.create_task(run.wait())
        await eventually(lambda: calls.count("get_run_progress") == 2)
        others = [asyncio.create_task(run.wait()) for _ in range(3)]
        await eventually(lambda: calls.count("get_run_progress") == 5)
        first.cancel()
        hand.complete(run.run_id, "hello")
        await asyncio.gather(*others)


async def test_who_waits_for_the_end_is_not_woken_by_what_comes_before_it(
    db, hand, two_steps, eventually, calls, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(two_steps, 1)
        wait = asyncio.create_task(run.wait())
        await eventually(lambda: calls.count("get_run_progress") == 2)
        # Until it is sure that the watch is known to all, the run is asked about.
        await rest(calls)
        hand.complete(run.run_id, "first", 1)
        await rest(calls)
        assert calls.count("get_run_progress") == 2
        hand.complete(run.run_id, "second", 2)
        await wait
        assert calls.count("get_run_progress") == 3


async def test_who_wants_every_change_of_a_run_that_others_wait_for_gets_it(
    db, hand, two_steps, eventually, calls, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(two_steps, 1)
        wait = asyncio.create_task(run.wait())
        await eventually(lambda: calls.count("get_run_progress") == 2)
        first = asyncio.create_task(run.step("first").wait())
        await rest(calls)
        hand.complete(run.run_id, "first", 1)
        await first
        late = asyncio.create_task(run.wait())
        await rest(calls)
        hand.complete(run.run_id, "second", 2)
        await asyncio.gather(wait, late)


async def test_who_comes_as_the_last_watcher_leaves_is_told_as_well(
    db, hand, greet, eventually, calls, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        for _ in range(5):
            wait = asyncio.create_task(run.wait())
            await eventually(hand.watched)
            wait.cancel()
            await asyncio.gather(wait, return_exceptions=True)
        wait = asyncio.create_task(run.wait())
        looks = calls.count("get_run_progress")
        await eventually(lambda: calls.count("get_run_progress") > looks)
        hand.complete(run.run_id, "hello")
        await wait


async def test_a_mark_goes_also_where_its_watch_ends_just_as_the_watchers_time_is_up(
    db, hand, greet, eventually, monkeypatch
):
    from pgflow_client._async.watcher import Bell

    wait = Bell.wait

    async def wait_in_vain(self: Bell, socket: int | None, seconds: float) -> bool:
        await wait(self, socket, seconds)
        return False

    monkeypatch.setattr(Bell, "wait", wait_in_vain)
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        waiting = asyncio.create_task(run.wait())
        await eventually(hand.watched)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await eventually(lambda: not hand.watched())


async def test_a_run_that_is_deleted_ends_its_watches_at_once(
    db, hand, conn, greet, eventually, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        wait = asyncio.create_task(run.wait())
        await eventually(hand.watched)
        conn.execute("select pgflow.delete_flow_and_data('greet')")
        with pytest.raises(RunNotFound):
            await wait


async def test_while_a_transaction_goes_on_that_may_not_know_of_the_watch_the_run_is_asked_about(
    db, hand, conn, greet, eventually, calls, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        with conn.transaction():
            conn.execute("create table held (id int)")
            wait = asyncio.create_task(run.wait())
            await eventually(lambda: calls.count("get_run_versions") >= 4)
            # Nobody looks at the run meanwhile.
            assert calls.count("get_run_progress") == 2
        await rest(calls)
        calls.clear()
        await asyncio.sleep(0.2)
        assert calls == []
        hand.complete(run.run_id, "hello")
        await wait


async def test_a_deletion_that_nobody_commits_holds_up_no_wait_for_another_run(
    db, hand, greet, two_steps, eventually, monkeypatch
):
    monkeypatch.setattr(_marks, "RENEWAL", 0.1)
    async with AsyncClient(db) as client:
        run, other = await client.start_flow(two_steps, 1), await client.start_flow(greet, "you")
        waits = [asyncio.create_task(each.wait()) for each in (run, other)]
        await eventually(lambda: len(hand.watched()) == 2)
        with psycopg.connect(db) as slow:
            slow.execute("select pgflow.delete_flow_and_data('two_steps')")
            waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
            await eventually(lambda: hand.conn.execute(waiting).fetchone() == (1,))
            hand.complete(other.run_id, "hello")
            await waits[1]
            waits[0].cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            # Not after the transaction either.
            await client.close()


async def test_marks_of_a_lost_connection_go_with_those_who_wanted_them(
    db, hand, greet, eventually
):
    async with AsyncClient(db) as client:
        run, other = await client.start_flow(greet, "you"), await client.start_flow(greet, "me")
        waits = [asyncio.create_task(each.wait()) for each in (run, other)]
        await eventually(lambda: len(hand.watched()) == 2)
        [listener] = await eventually(hand.listeners)
        waits[0].cancel()
        hand.cut(listener)
        await asyncio.gather(waits[0], return_exceptions=True)
        await eventually(lambda: hand.watched() == {other.run_id})
        hand.complete(other.run_id, "hello")
        await waits[1]


async def test_notifications_that_make_no_sense_are_passed_over(
    db, hand, greet, eventually, calls, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        wait = asyncio.create_task(run.wait())
        await eventually(hand.watched)
        await rest(calls)
        calls.clear()
        for channel in ("pgflow_runs", "pgflow_streams"):
            for payload in ("", "nonsense"):
                hand.conn.execute("select pg_notify(%s, %s)", (channel, payload))
        await rest(calls)
        hand.complete(run.run_id, "hello")
        await wait
        # Over another connection it would be marked anew.
        assert "watch_runs" not in calls
