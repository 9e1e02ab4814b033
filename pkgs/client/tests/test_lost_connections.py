"""Connections that are cut, and notifications that never come: nothing is lost."""

import asyncio
import os
import socket
from datetime import timedelta

import psycopg
import pytest
from pgflow_client import AsyncClient, DatabaseUnreachable, RunEnded
from pgflow_dsl import Flow
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.proxy import proxy


@pytest.mark.direct("nothing listens there")
async def test_what_happens_while_the_listening_connection_is_cut_is_not_lost(
    db, hand, greet, eventually, no_polling
):
    async with AsyncClient(db) as client:
        runs = await client.start_flows(greet, [str(n) for n in range(10)])
        waits = [asyncio.create_task(run.wait()) for run in runs]
        await eventually(lambda: len(hand.watched()) == 10)
        hand.claim()
        hand.cut(*hand.listeners())
        for run in runs[:5]:
            hand.complete(run.run_id, "hello")
        # Marked anew, every run is looked at; from then on changes are notified again.
        await asyncio.gather(*waits[:5])
        await eventually(lambda: len(hand.listeners()) == 1)
        for run in runs[5:]:
            hand.complete(run.run_id, "hello")
        await asyncio.gather(*waits[5:])


@pytest.mark.direct("it cuts connections by the process that they have")
async def test_waits_and_events_survive_the_loss_of_every_connection(
    db, hand, greet, eventually, follow
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        events, following = follow(run)
        waiting = asyncio.create_task(run.wait())
        await eventually(lambda: len(events) == 2 and hand.watched())
        for _ in range(3):
            hand.cut(*hand.backends())
            await eventually(hand.listeners)
        hand.complete(run.run_id, "hello")
        await asyncio.gather(waiting, following)
        assert [type(event).__name__ for event in events] == [
            "RunStarted",
            "StepStarted",
            "StepCompleted",
            "RunEnded",
        ]


@pytest.mark.direct("it cuts connections by the process that they have")
async def test_steps_that_have_not_started_are_no_hindrance_to_coming_back(
    db, hand, eventually, follow, no_polling
):
    flow = Flow("chain")

    @flow.step
    def one() -> int: ...

    @flow.step
    def two(number: int = one.output) -> int: ...

    @flow.step
    def three(number: int = two.output) -> int: ...

    hand.serve(flow)
    async with AsyncClient(db) as client:
        run = await client.start_flow(flow)
        events, following = follow(run)
        await eventually(lambda: len(events) == 2 and hand.watched())
        for step in ("one", "two", "three"):
            # What happens between the cut and the next look is neither lost nor told twice.
            hand.claim()
            hand.cut(*await eventually(hand.listeners))
            hand.complete(run.run_id, step, 1)
        await following
        assert [type(event).__name__ for event in events[1:]] == [
            *["StepStarted", "StepCompleted"] * 3,
            "RunEnded",
        ]


async def test_an_idle_connection_that_was_cut_is_replaced_before_it_is_used(db, hand, greet):
    async with AsyncClient(db) as client:
        await client.start_flow(greet, "you")
        hand.cut(*hand.backends())
        await client.start_flow(greet, "me")
    assert hand.runs() == 2


async def test_a_user_who_may_not_watch_waits_all_the_same(db, hand, conn, greet, follow):
    conn.execute("drop role if exists plain_starter")
    conn.execute("create role plain_starter login")
    conn.execute("grant usage on schema pgflow to plain_starter")
    conn.execute("grant execute on function pgflow.start_flow to plain_starter")
    conn.execute("grant execute on function pgflow.get_run_progress to plain_starter")
    try:
        async with AsyncClient(make_conninfo(db, user="plain_starter")) as client:
            run = await client.start_flow(greet, "you")
            wait = asyncio.create_task(run.wait())
            events, following = follow(run)
            hand.complete(run.run_id, "hello")
            assert (await wait).status == "completed"
            await following
            assert isinstance(events[-1], RunEnded)
            assert hand.watched() == set()
    finally:
        conn.execute("drop owned by plain_starter")
        conn.execute("drop role plain_starter")


@pytest.mark.direct("there are no marks to be missed")
async def test_a_change_whose_transaction_began_before_the_watch_is_seen(
    db, hand, greet, eventually
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        hand.claim()
        with psycopg.connect(db) as slow:
            # It looks for watchers, finds none, and so notifies nobody when it commits.
            slow.execute("select pgflow.complete_task(%s, 'hello', 0, '1')", (run.run_id,))
            wait = asyncio.create_task(run.wait())
            await eventually(hand.is_waited_for)
            assert not wait.done()
        await wait


async def test_a_database_that_cannot_be_reached_is_an_error_from_the_first_look(
    db, hand, greet, conn
):
    async with AsyncClient(make_conninfo(db, port=1)) as client:
        with pytest.raises(DatabaseUnreachable, match="cannot reach the database"):
            await client.start_flow(greet, "you")
    missing = make_conninfo(db, dbname="no_such_database")
    async with AsyncClient(missing) as client:
        with pytest.raises(DatabaseUnreachable, match="no_such_database"):
            await client.get_run("00000000-0000-0000-0000-000000000001")


@pytest.mark.direct("it cuts connections by the process that they have")
async def test_a_wait_ends_in_time_also_while_the_database_is_away(
    db, hand, greet, conn, postgres, eventually
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(greet, "you")
        wait = asyncio.create_task(run.wait(timedelta(milliseconds=400)))
        await eventually(lambda: hand.watched() and hand.backends("%get_run_progress%"))
        (name,) = conn.execute("select current_database()").fetchone()
        with psycopg.connect(postgres.url(), autocommit=True) as elsewhere:
            elsewhere.execute(f'alter database "{name}" allow_connections false'.encode())
        hand.cut(*hand.backends())
        with pytest.raises(TimeoutError):
            await wait


@pytest.mark.direct("it counts calls, and polls are calls")
async def test_a_result_is_read_through_an_outage_that_begins_when_the_run_ends(
    db, hand, greet, monkeypatch
):
    async with AsyncClient(db, max_connections=1) as client:
        run = await client.start_flow(greet, "you")
        hand.complete(run.run_id, "hello", "hi")
        calls = []
        call = client._hub.database.call

        async def cut_before_the_second(one):
            calls.append(one)
            if len(calls) % 3 == 2:
                raise DatabaseUnreachable("cut off")
            return await call(one)

        monkeypatch.setattr(client._hub.database, "call", cut_before_the_second)
        assert await run.result() == {"hello": "hi"}
        assert len(calls) == 4
        calls.clear()
        assert await run.result_of(greet.steps[0]) == "hi"


@pytest.mark.direct("it cuts connections by the process that they have")
async def test_what_a_caller_s_connection_cannot_reach_is_told_at_once(db, hand, greet):
    async with await psycopg.AsyncConnection.connect(db, autocommit=True) as caller:
        client = AsyncClient(caller)
        run = await client.start_flow(greet, "you")
        hand.complete(run.run_id, "hello", "hi")
        await run.wait()
        hand.cut(caller.info.backend_pid)
        with pytest.raises(DatabaseUnreachable):
            await run.result()


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="it is named so on Linux")
@pytest.mark.direct("it looks at the client's own end")
async def test_a_server_that_is_gone_without_a_word_is_noticed_in_half_a_minute(
    db, postgres, greet
):
    name = str(conninfo_to_dict(db)["dbname"])
    with proxy(postgres) as way:
        for url, idle in ((way.url(name), 10), (f"{way.url(name)}&keepalives_idle=7", 7)):
            async with AsyncClient(url) as client:
                await client.start_flow(greet, "you")
                async with client._hub.database.connection() as conn:
                    end = socket.socket(fileno=os.dup(conn.fileno()))
            with end:
                assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert end.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == idle
