"""Connections that break, fall silent or are refused: nothing is lost, done twice, or spun at."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Literal

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_client import AsyncClient
from pgflow_dsl import Flow
from pgflow_worker import Worker, WorkerOptions
from pgflow_worker._heartbeat import Heartbeat
from pgflow_worker.testing import running_worker

from tests.support import until
from tests.support.proxy import Fault, Proxy, proxy

HOUR = timedelta(hours=1)
PATIENCE = timedelta(seconds=60)


class Counting:
    """A flow that counts how often its handlers are called with each input."""

    def __init__(self, slug: str = "counting", **options: Any) -> None:
        self.calls: Counter[int] = Counter()
        self.release = asyncio.Event()
        self.flow = flow = Flow(slug, input=int, **options)

        @flow.step
        async def first(number: int = flow.input) -> int:
            self.calls[number] += 1
            if number < 0:
                await self.release.wait()
            return number

        @flow.step
        async def second(number: int = first.output) -> int:
            self.calls[number + 1000] += 1
            return number


@pytest.fixture
def way(postgres: EmbeddedServer) -> Iterator[Proxy]:
    with proxy(postgres) as started:
        yield started


def name_of(db: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(db)["dbname"])


def number(conn: psycopg.Connection[Any], query: str) -> int:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def undone(conn: psycopg.Connection[Any]) -> int:
    """Count the tasks that have not ended as they should, at the first attempt that counts."""
    return number(
        conn,
        "select count(*) from pgflow.step_tasks"
        " where status <> 'completed' or attempts_count - released_count <> 1",
    )


@asynccontextmanager
async def serving(
    counting: Counting, url: str, db: str, **options: Any
) -> AsyncIterator[tuple[AsyncClient, Worker]]:
    """A worker that reaches the database over url, and a client that reaches it directly."""
    async with (
        running_worker([counting.flow], url, WorkerOptions(**options)) as worker,
        AsyncClient(db) as client,
    ):
        await (await client.start_flow(counting.flow, 0)).wait(PATIENCE)
        yield client, worker


@pytest.mark.parametrize("name", ["pgflow lane", "pgflow hunter"])
@pytest.mark.parametrize(
    ("part", "after"), [("request", 0), ("request", 20), ("answer", 0), ("answer", 20)]
)
def test_a_call_that_is_cut_anywhere_is_done_once(
    way: Proxy,
    db: str,
    conn: psycopg.Connection[Any],
    name: str,
    part: Literal["request", "answer"],
    after: int,
):
    counting = Counting()

    async def cut() -> None:
        async with serving(counting, way.url(name_of(db)), db, concurrency=4) as (client, _):
            for _ in range(3):
                fault = way.arm(Fault(name=name, part=part, after=after))
                runs = await client.start_flows(counting.flow, list(range(1, 21)))
                for run in runs:
                    await run.wait(PATIENCE)
                await asyncio.to_thread(until, fault.has_happened.is_set)

    asyncio.run(cut())

    assert undone(conn) == 0
    expected = {0: 1, 1000: 1, **dict.fromkeys([*range(1, 21), *range(1001, 1021)], 3)}
    assert counting.calls == expected


# Slow: before it gives up, the driver tries to cancel, for ten seconds.
@pytest.mark.slow
def test_a_server_that_falls_silent_is_left_for_one_that_answers(
    way: Proxy,
    db: str,
    conn: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr("pgflow_client._link._PATIENCE", 0.3)
    monkeypatch.setattr("pgflow_client._link._SHORT_PATIENCE", 0.3)
    caplog.set_level(logging.DEBUG, "pgflow.worker")
    counting = Counting()

    async def fall_silent() -> None:
        url = f"{way.url(name_of(db))}&connect_timeout=1"
        async with serving(counting, url, db, shutdown_timeout=HOUR) as (client, worker):
            run = await client.start_flow(counting.flow, -1)
            await asyncio.to_thread(until, lambda: counting.calls[-1] == 1)
            way.silence()
            counting.release.set()
            # Each of the eight gives up the old connection, and some of the new ones too.
            await asyncio.to_thread(until, lambda: caplog.text.count("not answer") > 8, PATIENCE)
            assert number(conn, "select count(*) from pgflow.runs where status = 'started'") == 1
            way.heal()
            await run.wait(PATIENCE)
            await (await client.start_flow(counting.flow, 1)).wait(PATIENCE)
            worker.drain()

    asyncio.run(fall_silent())

    assert undone(conn) == 0
    assert counting.calls == dict.fromkeys([0, 1000, -1, 999, 1, 1001], 1)


def test_a_heartbeat_that_gets_no_answer_beats_over_another_connection(
    way: Proxy, db: str, conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pgflow_worker._heartbeat._LONGEST_BEAT_MS", 100)
    monkeypatch.setattr("pgflow_client._link._GRACE", 0.1)
    worker_id = "11111111-1111-1111-1111-111111111111"
    conn.execute("select pgflow.register_worker(%s, '{any}')", (worker_id,))

    def beat_at() -> Any:
        return conn.execute("select last_heartbeat_at from pgflow.workers").fetchone()

    async def beat() -> None:
        url = way.url(name_of(db))
        heart = Heartbeat(url, worker_id, 0.02, 3600, on_deprecated=bool, on_unknown=bool)
        heart.start()
        try:
            for _ in range(3):
                last = beat_at()
                await asyncio.to_thread(until, lambda last=last: beat_at() != last)
                fault = way.arm(Fault(name="pgflow heartbeat", part="request", then="silence"))
                await asyncio.to_thread(until, fault.has_happened.is_set)
            last = beat_at()
            await asyncio.to_thread(until, lambda: beat_at() != last)
        finally:
            await heart.stop()

    asyncio.run(beat())


def test_a_sweep_that_takes_too_long_is_tried_with_fewer_tasks(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    worker_id, lost_id = (f"{digit}1111111-1111-1111-1111-111111111111" for digit in "12")
    conn.execute("select pgflow.create_flow('slow'), pgflow.add_step('slow', 'only')")
    conn.execute(
        "select pgflow.register_worker(id::uuid, '{slow}') from unnest(%s::text[]) as id",
        ([worker_id, lost_id],),
    )
    conn.execute("select pgflow.start_flows('slow', array_fill('1'::jsonb, array[50]))")
    conn.execute("select * from pgflow.claim_tasks('{slow}', 50, %s)", (lost_id,))
    conn.execute("select pgflow.mark_worker_stopped(%s)", (lost_id,))
    conn.execute("""
        create function drag() returns trigger language plpgsql as
        'begin perform pg_sleep(0.02); return new; end';
        create trigger drag before update on pgflow.step_tasks
          for each row when (new.requeued_count > old.requeued_count) execute function drag();
    """)
    held = "select count(*) from pgflow.step_tasks where status = 'started'"

    async def beat() -> None:
        heart = Heartbeat(db, worker_id, 0.02, 0.54, on_deprecated=bool, on_unknown=bool)
        heart.start()
        try:
            await asyncio.to_thread(until, lambda: number(conn, held) == 0, PATIENCE)
        finally:
            await heart.stop()

    asyncio.run(beat())
    assert "taking 1000 tasks from lost workers takes too long" in caplog.text


def test_an_ear_that_hears_nothing_finds_out_whether_anybody_speaks(
    way: Proxy, db: str, conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pgflow_client._link._PROBE_INTERVAL", 0.1)
    monkeypatch.setattr("pgflow_client._link._SHORT_PATIENCE", 0.3)
    counting = Counting()

    async def fall_silent() -> None:
        url = way.url(name_of(db))
        async with serving(counting, url, db, poll_interval=HOUR) as (client, _):
            way.arm(Fault(name="pgflow ear", part="answer", then="silence"))
            heard = way.requests["pgflow ear"]
            await asyncio.to_thread(until, lambda: way.requests["pgflow ear"] > heard + 4)
            # Nobody looks for this one for an hour.
            await (await client.start_flow(counting.flow, 1)).wait(PATIENCE)

    asyncio.run(fall_silent())


def test_a_worker_without_a_database_waits_with_growing_pauses(
    way: Proxy, db: str, caplog: pytest.LogCaptureFixture
):
    counting = Counting()

    async def wait() -> None:
        url = way.url(name_of(db))
        async with serving(counting, url, db) as (client, worker):
            run = await client.start_flow(counting.flow, -1)
            await asyncio.to_thread(until, lambda: counting.calls[-1] == 1)
            opened, said = way.opened, len(caplog.records)
            way.refuse()
            counting.release.set()
            await asyncio.sleep(3)
            tries, lines = way.opened - opened, len(caplog.records) - said
            way.heal()
            await run.wait(PATIENCE)
            worker.drain()
        # Eight connections, the first tries 25 to 50 ms apart and each next twice as far.
        assert 4 <= tries <= 8 * 10
        # One line for all of them.
        assert lines == 1

    asyncio.run(wait())


def test_an_idle_worker_asks_rarely(way: Proxy, db: str):
    counting = Counting()

    async def idle() -> None:
        async with serving(counting, way.url(name_of(db)), db):
            before = way.requests.total()
            await asyncio.sleep(3)
            # Looks after 5 ms, 10 ms and so on up to 2 s, and heartbeats.
            assert way.requests.total() - before <= 60

    asyncio.run(idle())


def test_a_due_task_that_somebody_holds_is_not_asked_for_without_end(
    way: Proxy, db: str, conn: psycopg.Connection[Any]
):
    delayed = Flow("delayed", input=int)

    @delayed.step(start_delay=timedelta(seconds=1))
    async def only(number: int = delayed.input) -> int:
        return number

    due = "select count(*) from pgflow.step_tasks where available_at < clock_timestamp()"

    async def hold() -> None:
        async with running_worker([delayed], way.url(name_of(db))), AsyncClient(db) as client:
            run = await client.start_flow(delayed, 1)
            with psycopg.connect(db) as holder:
                holder.execute("select from pgflow.step_tasks for update")
                await asyncio.to_thread(until, lambda: number(conn, due) == 1)
                before = way.requests["pgflow hunter"]
                await asyncio.sleep(1)
                assert way.requests["pgflow hunter"] - before <= 40
            await run.wait(PATIENCE)

    asyncio.run(hold())


def test_a_failure_of_the_server_while_claiming_ends_no_worker_and_blames_no_result(
    db: str, conn: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
):
    counting = Counting(max_attempts=1)
    conn.execute("""
        create function trip() returns trigger language plpgsql as $$
        begin
          if old.status = 'queued' and new.status = 'started' then
            raise exception 'no claims today' using errcode = 'XX000';
          end if;
          return new;
        end
        $$;
    """)
    trip = "create trigger trip before update on pgflow.step_tasks for each row execute function "

    async def serve() -> None:
        async with serving(counting, db, db, concurrency=2) as (client, _):
            run = await client.start_flow(counting.flow, -1)
            await asyncio.to_thread(until, lambda: counting.calls[-1] == 1)
            conn.execute(trip.encode() + b"trip()")
            other = await client.start_flow(counting.flow, 1)
            await asyncio.to_thread(until, lambda: caplog.text.count("no claims today") > 2)
            counting.release.set()
            first = "select count(*) from pgflow.step_tasks where step_slug = 'first'"
            await asyncio.to_thread(
                until, lambda: number(conn, f"{first} and status = 'completed'") == 2
            )
            conn.execute("drop trigger trip on pgflow.step_tasks")
            await run.wait(PATIENCE)
            await other.wait(PATIENCE)

    asyncio.run(serve())

    assert undone(conn) == 0
    assert number(conn, "select count(*) from pgflow.task_attempts") == 0


def test_a_run_that_somebody_does_not_let_go_of_holds_up_no_other(
    db: str,
    conn: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr("pgflow_worker._exchange._PATIENCE", 0.2)
    monkeypatch.setattr("pgflow_worker._aside._PAUSE", 0.1)
    counting = Counting()

    async def hold() -> None:
        async with serving(counting, db, db, concurrency=4, lanes=1) as (client, _):
            held = await client.start_flow(counting.flow, -1)
            await asyncio.to_thread(until, lambda: counting.calls[-1] == 1)
            with psycopg.connect(db) as forgetful:
                forgetful.execute(
                    "select from pgflow.runs where run_id = %s for update", (held.run_id,)
                )
                counting.release.set()
                for run in await client.start_flows(counting.flow, list(range(1, 21))):
                    await run.wait(PATIENCE)
                await asyncio.to_thread(until, lambda: "another transaction holds" in caplog.text)
                assert (await held.refresh()).status == "started"
            await held.wait(PATIENCE)

    asyncio.run(hold())

    assert undone(conn) == 0
    assert set(counting.calls.values()) == {1}
    assert caplog.text.count("another transaction holds") == 1
