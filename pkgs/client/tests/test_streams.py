"""Reading what handlers emit: live and afterwards, from a cursor on, each item once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from pgflow_client import (
    AsyncClient,
    Client,
    RunNotFound,
    StepNotFound,
    WaitInTransaction,
    WrongFlow,
)
from pgflow_dsl import Flow, ItemInvalid
from pydantic import BaseModel

from tests.support import until


@pytest.fixture
def chat(hand):
    """A flow with a step and a map; tasks are tried twice."""
    flow = Flow("chat", input=str, max_attempts=2)

    @flow.step
    def answer(question: str = flow.input) -> list[str]: ...

    @flow.map(over=answer.output)
    def check(word: str) -> bool: ...

    hand.serve(flow)
    return flow


@pytest.fixture
def read():
    """Collect a stream beside the test: the items as they come, and the task."""

    def start(items: Any) -> tuple[list[Any], "asyncio.Task[None]"]:
        came: list[Any] = []

        async def collect() -> None:
            async for item in items:
                came.append(item)  # noqa: PERF401 (the test looks at the list meanwhile)

        return came, asyncio.create_task(collect())

    return start


def values(items: list[Any]) -> list[Any]:
    return [item.value for item in items]


async def test_items_come_as_they_are_emitted_until_the_step_ends(
    db, hand, chat, eventually, read, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        items, reading = read(run.stream(chat.get_step("answer")))
        await eventually(hand.is_waited_for)
        for token in ("I", None, {"am": ["it"]}):
            hand.emit(run.run_id, "answer", token)
            await eventually(lambda token=token: values(items)[-1:] == [token])
        hand.emit(run.run_id, "answer", "!", "?")
        hand.complete(run.run_id, "answer", [])
        await reading
        assert values(items) == ["I", None, {"am": ["it"]}, "!", "?"]
        assert [item.number for item in items] == [1, 2, 3, 4, 5]
        assert not any(item.is_restart for item in items)
        assert timedelta(0) <= datetime.now(UTC) - items[0].at < timedelta(minutes=1)
        await eventually(lambda: not hand.watched())


async def test_an_ended_stream_is_read_from_its_start_or_from_a_cursor(db, hand, chat):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        # More than fit into a page.
        hand.emit(run.run_id, "answer", *range(1203))
        hand.complete(run.run_id, "answer", [])
        items = [item async for item in run.stream("answer")]
        assert values(items) == list(range(1203))
        rest = [item async for item in run.stream("answer", after=items[1200].cursor)]
        assert rest == items[1201:]
        assert [item async for item in run.stream("answer", after=items[-1].cursor)] == []


async def test_a_later_attempt_says_that_what_was_told_is_void(db, hand, chat, eventually, read):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        live, reading = read(run.stream("answer"))
        hand.emit(run.run_id, "answer", "Hel", "lo")
        await eventually(lambda: len(live) == 2)
        hand.fail(run.run_id, "answer", is_final=False)
        hand.emit(run.run_id, "answer", "Good", " day")
        hand.complete(run.run_id, "answer", [])
        await reading
        told = [(item.value, item.attempt, item.is_restart) for item in live]
        assert told == [
            ("Hel", 1, False),
            ("lo", 1, False),
            ("Good", 2, True),
            (" day", 2, False),
        ]
        assert [item async for item in run.stream("answer")] == live[2:]
        # Who had got as far as the first attempt is told, too.
        assert [item async for item in run.stream("answer", after=live[0].cursor)] == live[2:]
        assert [item async for item in run.stream("answer", all_attempts=True)] == live


async def test_elements_of_a_map_are_read_together_or_one_by_one(
    db, hand, chat, eventually, read, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        hand.complete(run.run_id, "answer", ["a", "b", "c"])
        check = chat.get_step("check")
        every, reading_all = read(run.stream(check))
        one, reading_one = read(run.stream(check, task_index=1))
        await eventually(hand.is_waited_for)
        for index, value in ((0, "x"), (1, "y"), (2, "z"), (1, "more")):
            hand.emit(run.run_id, "check", value, index=index)
        hand.complete(run.run_id, "check", True, index=1)
        # It ends with its element, and the others go on.
        await reading_one
        assert values(one) == ["y", "more"]
        hand.emit(run.run_id, "check", "last", index=2)
        for index in (0, 2):
            hand.complete(run.run_id, "check", True, index=index)
        await reading_all
        assert [(item.task_index, item.value) for item in every] == [
            (0, "x"),
            (1, "y"),
            (2, "z"),
            (1, "more"),
            (2, "last"),
        ]
        places = [item.cursor for item in every]
        assert places == sorted(set(places))


class Token(BaseModel):
    text: str
    at: datetime


async def test_items_are_read_as_the_type_that_is_asked_for(db, hand, chat):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        hand.emit(run.run_id, "answer", {"text": "I", "at": "2000-01-01T00:00:00Z"}, {"text": 1})
        items = run.stream("answer", item_type=Token)
        first = await anext(items)
        assert first.value == Token(text="I", at=datetime(2000, 1, 1, tzinfo=UTC))
        with pytest.raises(ItemInvalid, match="item of step 'answer' of flow 'chat'"):
            await anext(items)


@pytest.mark.direct("it cuts connections by the process that they have")
async def test_a_cut_connection_loses_no_item(db, hand, chat, eventually, read, no_polling):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        items, reading = read(run.stream("answer"))
        await eventually(hand.is_waited_for)
        for number in range(5):
            hand.cut(*hand.backends())
            hand.emit(run.run_id, "answer", number)
        hand.complete(run.run_id, "answer", [])
        await reading
        assert values(items) == [0, 1, 2, 3, 4]


async def test_a_stream_goes_on_when_the_run_is_retried(db, hand, chat):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        hand.emit(run.run_id, "answer", "one")
        hand.fail(run.run_id, "answer")
        (failed,) = [item async for item in run.stream("answer")]
        hand.call("retry_run", run.run_id)
        hand.emit(run.run_id, "answer", "two")
        hand.complete(run.run_id, "answer", [])
        (again,) = [item async for item in run.stream("answer", after=failed.cursor)]
        assert (failed.value, again.value, again.is_restart) == ("one", "two", True)


async def test_a_step_that_never_runs_has_an_empty_stream(db, hand, chat):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        hand.cancel(run.run_id)
        assert [item async for item in run.stream("check")] == []


@pytest.mark.direct("nobody is woken there")
async def test_items_wake_those_who_read_them_and_nobody_else(
    db, hand, chat, eventually, read, no_polling, monkeypatch
):
    from pgflow_client._async import database

    asked: list[str] = []
    execute = database.execute

    async def note(conn: Any, call: Any) -> Any:
        asked.append(call.sql.partition("pgflow.")[2].partition("(")[0])
        return await execute(conn, call)

    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        waiting = asyncio.create_task(run.wait())
        events, following = read(run.events())
        items, reading = read(run.stream("answer"))
        texts, telling = read(run.sse(streams=["answer"]))
        await eventually(lambda: hand.watched() and len(events) == 2 and len(texts) == 3)
        monkeypatch.setattr(database, "execute", note)
        quiet = 0
        # Until the runs' watches are settled, a change of any kind is one to look at.
        while quiet < 5:
            asked.clear()
            hand.emit(run.run_id, "answer", "more")
            told = len(items) + 1
            await eventually(lambda told=told: len(items) == told and len(texts) == 3 + told)
            quiet = quiet + 1 if set(asked) == {"get_stream_state"} else 0
        hand.complete(run.run_id, "answer", [])
        await asyncio.gather(waiting, following, reading, telling)


async def test_an_abandoned_stream_leaves_no_mark(db, hand, chat, eventually):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        hand.emit(run.run_id, "answer", "one")
        async for _ in run.stream("answer"):
            await eventually(hand.is_waited_for)
            break
        await eventually(lambda: not hand.watched())


async def test_bad_use_is_named(db, hand, chat, greet):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        with pytest.raises(WrongFlow, match="greet"):
            run.stream(greet.steps[0])
        with pytest.raises(StepNotFound, match="no step typo"):
            await anext(run.stream("typo"))
        hand.call("delete_flow_and_data", "chat")
        with pytest.raises(RunNotFound):
            await anext(run.stream("answer"))
    async with await psycopg.AsyncConnection.connect(db) as caller:
        run = await AsyncClient(caller).start_flow(greet, "you")
        with pytest.raises(WaitInTransaction):
            run.stream("hello")


def test_threads_read_streams_too(db, hand, chat, no_polling):
    with Client(db) as client, ThreadPoolExecutor() as threads:
        run = client.start_flow(chat, "who?")
        reading = threads.submit(lambda: list(run.stream("answer", item_type=str)))
        until(hand.is_waited_for)
        hand.emit(run.run_id, "answer", "Hel")
        hand.emit(run.run_id, "answer", "lo")
        hand.complete(run.run_id, "answer", [])
        assert values(reading.result()) == ["Hel", "lo"]


def test_a_callers_connection_reads_by_looking_again(db, hand, chat):
    with psycopg.connect(db, autocommit=True) as caller, ThreadPoolExecutor() as threads:
        run = Client(caller).start_flow(chat, "who?")
        reading = threads.submit(lambda: list(run.stream("answer")))
        hand.emit(run.run_id, "answer", "hello")
        hand.complete(run.run_id, "answer", [])
        assert values(reading.result()) == ["hello"]
