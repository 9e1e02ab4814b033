"""Server-Sent Events: events and items in one order, with one cursor for both."""

import asyncio
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from pgflow_client import AsyncClient, Client, CursorInvalid, WrongFlow
from pgflow_dsl import Flow

FOLLOWS = ["answer", "check"]


@pytest.fixture
def chat(hand):
    flow = Flow("chat", input=str, max_attempts=2)

    @flow.step
    def answer(question: str = flow.input) -> list[str]: ...

    @flow.map(over=answer.output)
    def check(word: str) -> bool: ...

    hand.serve(flow)
    return flow


def parse(text: str) -> Any:
    """An event's id, name and data, as a browser reads them; None where it tells nothing."""
    assert text.endswith("\n\n")
    lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    if "event" not in lines:
        return None
    assert list(lines) == ["id", "event", "data"]
    return lines["id"], lines["event"], json.loads(lines["data"])


def told(texts: Iterable[str]) -> list[str]:
    """The events in a word or two."""
    parsed = [found for text in texts if (found := parse(text))]
    return [
        f"{data['step_slug']}: {data['value']}"
        if name == "item"
        else f"{data.get('step_slug', '')} {name}".strip()
        for _, name, data in parsed
    ]


@pytest.fixture
def follow():
    def start(texts: Any) -> tuple[list[str], "asyncio.Task[None]"]:
        came: list[str] = []

        async def collect() -> None:
            async for text in texts:
                came.append(text)  # noqa: PERF401 (the test looks at the list meanwhile)

        return came, asyncio.create_task(collect())

    return start


WHOLE = [
    "run_started",
    "answer step_started",
    "answer: Hel",
    "answer: lo",
    "answer step_completed",
    "check step_started",
    "check: x",
    "check map_progressed",
    "check: y",
    "check step_completed",
    "run_ended",
]


def play(hand: Any, run: Any) -> None:
    hand.emit(run.run_id, "answer", "Hel", "lo")
    hand.complete(run.run_id, "answer", ["a", "b"])
    hand.emit(run.run_id, "check", "x", index=0)
    hand.complete(run.run_id, "check", True, index=0)
    hand.emit(run.run_id, "check", "y", index=1)
    hand.complete(run.run_id, "check", True, index=1)


async def test_events_and_items_come_live_in_one_order(
    db, hand, chat, eventually, follow, no_polling
):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        texts, following = follow(run.sse(streams=FOLLOWS))
        await eventually(hand.is_waited_for)
        for part in range(2):
            hand.emit(run.run_id, "answer", ["Hel", "lo"][part])
            await eventually(lambda part=part: len(told(texts)) == 3 + part)
        hand.complete(run.run_id, "answer", ["a", "b"])
        await eventually(lambda: len(told(texts)) == 6)
        hand.emit(run.run_id, "check", "x", index=0)
        await eventually(lambda: len(told(texts)) == 7)
        hand.complete(run.run_id, "check", True, index=0)
        await eventually(lambda: len(told(texts)) == 8)
        hand.emit(run.run_id, "check", "y", index=1)
        hand.complete(run.run_id, "check", True, index=1)
        await following
        assert told(texts) == WHOLE
        await eventually(lambda: not hand.watched())


async def test_who_comes_later_is_told_items_before_the_end_of_their_step(db, hand, chat):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        play(hand, run)
        texts = [text async for text in run.sse(streams=FOLLOWS)]
        assert told(texts) == [
            "run_started",
            "answer step_started",
            "answer: Hel",
            "answer: lo",
            "answer step_completed",
            "check step_started",
            "check: x",
            "check: y",
            "check step_completed",
            "run_ended",
        ]
        (first,) = [found[2] for text in texts if (found := parse(text)) and "Hel" in text]
        assert first.pop("at").startswith("2")
        assert first == {
            "step_slug": "answer",
            "task_index": 0,
            "attempt": 1,
            "is_restart": False,
            "value": "Hel",
        }


async def test_a_reader_goes_on_behind_whatever_id_it_came_to(db, hand, chat):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        play(hand, run)
        texts = [text async for text in run.sse(streams=FOLLOWS)]
        for place, text in enumerate(texts):
            found = parse(text)
            rest = [more async for more in run.sse(streams=FOLLOWS, after=found[0])]
            assert [more for more in rest if parse(more)] == texts[place + 1 :]
        # Nothing at all, so that a browser can be told not to come back.
        assert rest == []


async def test_streams_that_were_not_asked_for_are_not_told(db, hand, chat):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        play(hand, run)
        events = [text async for text in run.sse()]
        assert not any("item" in text for text in events)
        # A cursor of events alone is good, and a stream that joins later is told from its start.
        (start,) = [found[0] for text in events if (found := parse(text)) and "run_st" in text]
        joined = [text async for text in run.sse(streams=["answer"], after=start)]
        assert told(joined)[:3] == ["answer step_started", "answer: Hel", "answer: lo"]


async def test_a_quiet_run_is_told_by_heartbeats(db, hand, chat, eventually, follow):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        quick = timedelta(milliseconds=5)
        texts, following = follow(run.sse(streams=FOLLOWS, heartbeat=quick))
        await eventually(lambda: texts.count(":\n\n") > 3)
        assert texts[2] == "retry: 1000\n\n"
        hand.cancel(run.run_id)
        await following
        assert told(texts)[-1] == "run_ended"


async def test_a_retried_run_is_told_on(db, hand, chat):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        hand.emit(run.run_id, "answer", "one")
        hand.fail(run.run_id, "answer")
        before = [text async for text in run.sse(streams=FOLLOWS)]
        assert told(before)[2:4] == ["answer: one", "answer attempts_failed"]
        hand.call("retry_run", run.run_id)
        hand.emit(run.run_id, "answer", "two")
        hand.complete(run.run_id, "answer", [])
        found = parse(before[-1])
        after = [text async for text in run.sse(streams=FOLLOWS, after=found[0])]
        assert told(after)[:4] == [
            "run_reopened",
            "answer step_started",
            "answer: two",
            "answer step_completed",
        ]
        assert [parse(text)[2]["is_restart"] for text in after if '"value"' in text] == [True]
        # Who comes after all of this is told of the attempt that counts, where it counts.
        late = [text async for text in run.sse(streams=FOLLOWS)]
        assert told(late)[:4] == [
            "run_started",
            "answer step_started",
            "answer attempts_failed",
            "answer step_failed",
        ]
        assert told(late)[-len(told(after)) :] == told(after)


async def test_bad_use_is_named_at_the_call(db, hand, chat, greet):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chat, "who?")
        other = await client.start_flow(greet, "you")
        (first, *_) = [parse(text) async for text in other.sse() if hand.cancel(other.run_id) or 1]
        for cursor in ("nonsense", "1.0~answer", "~answer.1~answer.2", "~answer.x", first[0]):
            with pytest.raises(CursorInvalid):
                run.sse(after=cursor)
        with pytest.raises(WrongFlow):
            run.sse(streams=[greet.steps[0]])


def test_a_thread_may_serve_them_too(db, hand, chat):
    with Client(db) as client:
        run = client.start_flow(chat, "who?")
        play(hand, run)
        assert told(run.sse(streams=FOLLOWS))[-1] == "run_ended"
