"""What handlers emit is stored in order, once, before the result, while the attempt counts."""

import asyncio
import os
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pgflow_client import AsyncClient, RunFailed
from pgflow_dsl import AttemptCancelled, Context, Flow, StreamFull
from pgflow_worker import WorkerOptions
from pgflow_worker.testing import run_flow, running_worker

from pkgs.worker.tests import samples
from tests.support import until

Connection = psycopg.Connection[Any]
NAME = "pgflow streams"


def stream(conn: Connection, step: str, run_id: UUID | None = None, **named: Any) -> list[Any]:
    """Read the stream of a step, of the only run where none is named."""
    places = "".join(f", {name} => %s" for name in named)
    rows = conn.execute(
        "select item.value from pgflow.runs as run cross join lateral"
        f" pgflow.read_stream(run.run_id, %s, quantity => null{places}) as item"
        " where run.run_id = coalesce(%s, run.run_id)".encode(),
        (step, *named.values(), run_id),
    )
    return [value for (value,) in rows]


def writers(conn: Connection) -> list[int]:
    """Process ids of connections that store items."""
    rows = conn.execute("select pid from pg_stat_activity where application_name = %s", (NAME,))
    return [pid for (pid,) in rows]


def emitting(executor: Any = None) -> Flow[int]:
    flow = Flow("emitting", input=int, max_attempts=1)

    @flow.step
    async def on_loop(ctx: Context, count: int = flow.input) -> None:
        for number in range(count):
            await ctx.emit({"n": number})

    @flow.step(executor=executor)
    def in_thread(ctx: Context, count: int = flow.input) -> None:
        for number in range(count):
            ctx.emit({"n": number})

    @flow.step
    def loop_of_its_own(ctx: Context, count: int = flow.input) -> None:
        async def emit() -> None:
            for number in range(count):
                await ctx.emit({"n": number})

        asyncio.run(emit())

    return flow


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave room for a handful of items only."""
    monkeypatch.setattr("pgflow_worker._streams._ENOUGH", 1500)
    monkeypatch.setattr("pgflow_worker._streams._MOST", 6000)


@pytest.mark.usefixtures("little_room")
def test_handlers_emit_from_wherever_they_run_and_nothing_is_lost(db: str, conn: Connection):
    expected = [{"n": number} for number in range(300)]
    with ThreadPoolExecutor(1) as pool:
        asyncio.run(run_flow(emitting(pool), 300, db))
    for step in ("on_loop", "in_thread", "loop_of_its_own"):
        assert stream(conn, step) == expected


@pytest.mark.usefixtures("little_room")
def test_a_handler_in_another_process_emits_through_its_worker(db: str, conn: Connection):
    result = asyncio.run(run_flow(samples.telling, 300, db))
    assert result["tell"] != os.getpid()
    assert stream(conn, "tell") == [{"n": number} for number in range(300)]


def test_an_executor_from_which_nothing_comes_back_is_told_so(db: str):
    with ProcessPoolExecutor(1, samples.SPAWN) as pool:
        samples.mute.get_step("say").executor = pool  # type: ignore[misc]
        assert asyncio.run(run_flow(samples.mute, None, db)) == {"say": "emit()"}


@pytest.mark.direct("it counts connections of the server's")
def test_a_worker_whose_handlers_emit_nothing_needs_no_connection_for_it(db: str, conn: Connection):
    flow = emitting()

    async def serve() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            await (await client.start_flow(flow, 0)).wait()
            assert writers(conn) == []
            await (await client.start_flow(flow, 1)).wait()
            assert len(writers(conn)) == 1

    asyncio.run(serve())


def test_what_was_emitted_can_be_read_as_soon_as_the_step_has_ended(db: str, conn: Connection):
    flow = Flow("chat", max_attempts=1)

    @flow.step
    async def answer(ctx: Context) -> str:
        for token in ("Hel", "lo"):
            ctx.emit(token)
        return "Hello"

    @flow.step
    async def look(ctx: Context, text: str = answer.output) -> list[str]:
        return stream(conn, "answer", ctx.run_id)

    assert asyncio.run(run_flow(flow, None, db)) == {"look": ["Hel", "lo"]}


def test_what_a_failed_attempt_emitted_stays_beside_what_the_next_one_does(
    db: str, conn: Connection
):
    flow = Flow("again", max_attempts=2, base_delay=timedelta(0))

    @flow.step
    async def only(ctx: Context) -> None:
        await ctx.emit(f"attempt {ctx.attempt}")
        if ctx.attempt == 1:
            raise ValueError("once")

    asyncio.run(run_flow(flow, None, db))

    assert stream(conn, "only") == ["attempt 2"]
    assert stream(conn, "only", all_attempts=True) == ["attempt 1", "attempt 2"]


@pytest.mark.parametrize("is_async", [True, False])
def test_an_emit_of_an_attempt_that_counts_no_longer_stops_the_handler(
    db: str, conn: Connection, is_async: bool, monkeypatch: pytest.MonkeyPatch
):
    # What the watch would find a second later is found by the emit itself.
    monkeypatch.setattr("pgflow_worker._crew._WATCH_INTERVAL", 3600.0)
    flow = Flow("cancelled", max_attempts=1)
    began = threading.Event()
    told: list[str] = []

    async def on_loop(ctx: Context) -> None:
        try:
            while True:
                await ctx.emit("more")
                began.set()
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            told.append(str(ctx.cancelled.reason))
            raise

    def in_thread(ctx: Context) -> None:
        try:
            while True:
                ctx.emit("more")
                began.set()
                ctx.cancelled.wait(timedelta(milliseconds=1))
        except AttemptCancelled as reason:
            told.append(str(reason))
            raise

    flow.step(slug="only")(on_loop if is_async else in_thread)

    async def cancel() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            handle = await client.start_flow(flow)
            await asyncio.to_thread(began.wait, 30)
            conn.execute("select * from pgflow.cancel_run(%s)", (handle.run_id,))
            while not told:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(cancel(), 60))
    assert told == ["the attempt counts no longer: cancelled"]


def test_a_cut_connection_neither_loses_nor_doubles_items(db: str, conn: Connection):
    flow = emitting()
    count = 2000

    async def cut() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            handle = await client.start_flow(flow, count)
            run = asyncio.ensure_future(handle.wait())
            cuts = 0
            while not run.done() or not cuts:
                for pid in writers(conn):
                    conn.execute("select pg_terminate_backend(%s, 1000)", (pid,))
                    cuts += 1
                await asyncio.sleep(0.02 * cuts)
            await run

    asyncio.run(asyncio.wait_for(cut(), 60))
    for step in ("on_loop", "in_thread", "loop_of_its_own"):
        assert stream(conn, step) == [{"n": number} for number in range(count)]


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("step", ["on_loop", "in_thread", "loop_of_its_own"])
def test_a_handler_waits_while_the_database_takes_nothing(db: str, conn: Connection, step: str):
    flow = Flow("waiting", max_attempts=1)
    taken: list[int] = []
    wrapped = emitting().get_step(step)

    async def on_loop(ctx: Context) -> None:
        for number in range(200):
            await ctx.emit(number)
            taken.append(number)

    def in_thread(ctx: Context) -> None:
        for number in range(200):
            ctx.emit(number)
            taken.append(number)

    def loop_of_its_own(ctx: Context) -> None:
        asyncio.run(on_loop(ctx))

    handlers = {"on_loop": on_loop, "in_thread": in_thread, "loop_of_its_own": loop_of_its_own}
    flow.step(slug="only")(handlers[wrapped.slug])

    async def serve() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            with psycopg.connect(db) as holder:
                holder.execute("lock table pgflow.stream_items")
                handle = await client.start_flow(flow)
                waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
                while len(taken) < 5 or not conn.execute(waiting).fetchone():
                    await asyncio.sleep(0.01)
                few = len(taken)
            await handle.wait(timedelta(seconds=30))
            assert few < 50

    asyncio.run(asyncio.wait_for(serve(), 60))
    assert stream(conn, "only") == list(range(200))


@pytest.mark.usefixtures("little_room")
def test_a_coroutine_that_never_waits_is_refused_before_it_fills_the_memory(
    db: str, conn: Connection
):
    flow = Flow("flood", max_attempts=1)

    @flow.step
    async def only(ctx: Context) -> int:
        for number in range(1000):
            try:
                ctx.emit(number)
            except StreamFull:
                return number
        return -1

    result = asyncio.run(run_flow(flow, None, db))
    assert 0 < result["only"] < 100
    assert stream(conn, "only") == list(range(result["only"]))


def test_items_that_the_database_refuses_fail_their_attempt_and_no_other(
    db: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
):
    import pgflow_worker._streams as streams

    append = streams.append_to_streams

    async def refuse(conn: Any, rows: Any, numbers: Any, items: Any) -> Any:
        if "poison" in "".join(items):
            raise psycopg.DataError("it is poisoned")
        return await append(conn, rows, numbers, items)

    monkeypatch.setattr(streams, "append_to_streams", refuse)
    flow = Flow("poisoned", input=str, max_attempts=5)
    together = asyncio.Barrier(3)

    @flow.step
    async def only(ctx: Context, word: str = flow.input) -> None:
        # So that all of it leaves in one batch.
        await together.wait()
        await ctx.emit(word)

    async def serve() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            good, bad, too = await client.start_flows(flow, ["good", "poison", "good, too"])
            await asyncio.gather(good.wait(), too.wait())
            with pytest.raises(RunFailed, match="cannot be stored: it is poisoned"):
                await bad.wait()
            assert stream(conn, "only", good.run_id) == ["good"]
            assert stream(conn, "only", too.run_id) == ["good, too"]

    asyncio.run(asyncio.wait_for(serve(), 60))


def test_what_was_emitted_before_a_worker_stops_is_stored_before_the_task_goes_back(
    db: str, conn: Connection
):
    flow = Flow("stopped", max_attempts=1)
    emitted = threading.Event()

    @flow.step
    async def only(ctx: Context) -> None:
        for number in range(100):
            ctx.emit(number)
        emitted.set()
        await asyncio.sleep(600)

    async def stop() -> None:
        async with running_worker([flow], db) as worker, AsyncClient(db) as client:
            await client.start_flow(flow)
            while not emitted.is_set():
                await asyncio.sleep(0)
            worker.stop()

    asyncio.run(asyncio.wait_for(stop(), 60))
    assert stream(conn, "only") == list(range(100))
    status = conn.execute("select status, attempts_count - released_count from pgflow.step_tasks")
    assert status.fetchone() == ("queued", 0)


def test_a_thread_that_outlives_its_handler_emits_no_more(db: str, conn: Connection):
    flow = Flow("stray", max_attempts=1)
    returned = threading.Event()
    raised: list[BaseException] = []

    @flow.step
    def only(ctx: Context) -> None:
        def stray() -> None:
            returned.wait(30)
            try:
                ctx.emit("late")
            except BaseException as error:
                raised.append(error)

        threading.Thread(target=stray).start()
        ctx.emit("in time")

    async def serve() -> None:
        async with running_worker([flow], db), AsyncClient(db) as client:
            await (await client.start_flow(flow)).wait()
            returned.set()
            await asyncio.to_thread(until, lambda: raised)

    asyncio.run(serve())
    assert [str(error) for error in raised] == ["the handler has returned"]
    assert stream(conn, "only") == ["in time"]


def test_a_process_whose_item_cannot_be_taken_is_replaced(
    db: str, conn: Connection, monkeypatch: pytest.MonkeyPatch
):
    from pgflow_worker._streams import AttemptStream

    put = AttemptStream.put

    def refuse_one(self: AttemptStream, text: str) -> bool:
        if text == '{"n":7}':
            monkeypatch.setattr(AttemptStream, "put", put)
            raise AttemptCancelled("the test says so")
        return put(self, text)

    monkeypatch.setattr(AttemptStream, "put", refuse_one)

    async def serve() -> None:
        options = WorkerOptions(processes=1)
        async with running_worker([samples.telling], db, options), AsyncClient(db) as client:
            first = await client.start_flow(samples.telling, 10)
            with pytest.raises(RunFailed):
                await first.wait(timedelta(seconds=30))
            second = await client.start_flow(samples.telling, 10)
            await second.wait(timedelta(seconds=30))
            assert stream(conn, "tell", second.run_id) == [{"n": number} for number in range(10)]

    asyncio.run(serve())
