"""Readers of events who were away go on where they stopped, and are told all of it once."""

import random
from collections.abc import Iterable
from uuid import UUID

import pytest
from pgflow_client import (
    AsyncClient,
    AttemptsFailed,
    Client,
    CursorInvalid,
    MapProgressed,
    RunEnded,
    RunReopened,
)
from pgflow_client._position import Position, Told
from pgflow_dsl import Flow

RUN = UUID("00000000-0000-7000-8000-00000000abcd")


@pytest.fixture
def chain(hand):
    flow = Flow("chain")

    @flow.step
    def first() -> list[int]: ...

    @flow.map(over=first.output)
    def each(number: int) -> int: ...

    @flow.step
    def last(numbers: list[int] = each.output) -> int: ...

    hand.serve(flow)
    return flow


def names(events: Iterable[object]) -> list[str]:
    return [
        f"{getattr(event, 'step_slug', 'run')} {type(event).__name__.removeprefix('Step')}"
        for event in events
    ]


async def take(events, count):
    return [await anext(events) for _ in range(count)]


@pytest.mark.parametrize(
    "position",
    [
        Position(run_id=RUN),
        Position(run_id=RUN, is_begun=True, steps=[Told()] * 300),
        Position(
            run_id=RUN,
            reopened_count=12,
            is_begun=True,
            is_ended=True,
            steps=[Told(2, 3), Told(2, 3), Told(1, 0, 9), Told(1, 2, 10), Told(0, 1)],
        ),
    ],
    ids=str,
)
def test_a_cursor_is_short_plain_text_that_stands_for_a_position(position: Position):
    assert Position.parse(str(position), RUN) == position
    assert len(str(position)) < 50
    assert str(position).replace(".", "").replace("_", "").replace("-", "").isalnum()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "0",
        "2.00000000abcd.0.n.",
        "1.00000000abcf.0.n.",
        "1.00000000abcd.0.n.z",
        "1.00000000abcd.0.n.s--1",
        "1.00000000abcd.0.n.c_99999c_99999",
        "1.00000000abcd.٣.n.",
        "1.00000000abcd.0.n.c\n",
        "x" * 100_000,
    ],
    ids=lambda cursor: cursor[:40],
)
def test_what_is_no_cursor_of_the_run_is_refused(cursor: str):
    with pytest.raises(CursorInvalid, match=f"is no cursor of run {RUN}") as caught:
        Position.parse(cursor, RUN)
    assert len(str(caught.value)) < 400


async def test_a_cursor_of_another_run_is_refused_before_anything_is_asked(db, hand, chain):
    async with AsyncClient(db) as client:
        one, two = await client.start_flows(chain, [None, None])
        (event,) = await take(one.events(), 1)
        with pytest.raises(ValueError, match="no cursor of run"):
            await anext(two.events(after=event.cursor))


async def test_another_client_goes_on_right_behind_any_event(db, hand, chain):
    async with AsyncClient(db) as client, AsyncClient(db) as other:
        run = await client.start_flow(chain)
        hand.fail(run.run_id, "first", is_final=False)
        hand.complete(run.run_id, "first", [1, 2])
        hand.complete(run.run_id, "each", 1)
        partial = await take(run.events(), 6)
        assert names(partial)[-1] == "each MapProgressed"
        hand.complete(run.run_id, "each", 1, index=1)
        hand.complete(run.run_id, "last", 1)
        rest = ["each Completed", "last Started", "last Completed", "run RunEnded"]
        for count in range(1, len(partial) + 1):
            again = (await other.get_run(run.run_id)).events(after=partial[count - 1].cursor)
            told = names([event async for event in again])
            # How far a map had come is not told once it is complete.
            expected = [*names(partial[count:]), *rest]
            assert sorted(told) == sorted(set(expected) - {"each MapProgressed"})
            assert told[-1] == "run RunEnded"


async def test_the_cursor_of_a_snapshot_leads_to_what_happens_after_it(db, hand, chain):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chain)
        hand.complete(run.run_id, "first", [1, 2])
        hand.complete(run.run_id, "each", 1)
        snapshot = await run.progress()
        events = run.events(after=snapshot.cursor)
        hand.complete(run.run_id, "each", 1, index=1)
        assert names(await take(events, 2)) == ["each Completed", "last Started"]
        hand.complete(run.run_id, "last", 1)
        assert names([event async for event in events]) == ["last Completed", "run RunEnded"]
        assert [event async for event in run.events(after=(await run.progress()).cursor)] == []


async def test_after_the_end_there_is_nothing_until_the_run_is_reopened(db, hand, chain):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chain)
        hand.fail(run.run_id, "first")
        *_, end = [event async for event in run.events()]
        assert isinstance(end, RunEnded)
        assert [event async for event in run.events(after=end.cursor)] == []
        hand.call("retry_run", run.run_id)
        events = run.events(after=end.cursor)
        (reopened,) = await take(events, 1)
        assert isinstance(reopened, RunReopened)
        assert (reopened.ended_as, reopened.failed_step_slug) == ("failed", "first")
        assert reopened.error_message == "boom"
        assert reopened.step_slugs == ("first", "each", "last")
        assert reopened.at > end.at
        hand.complete(run.run_id, "first", [1])
        hand.complete(run.run_id, "each", 1)
        hand.complete(run.run_id, "last", 1)
        told = [event async for event in events]
        assert names(told)[0] == "first Started"
        assert [event for event in told if isinstance(event, RunEnded)] == told[-1:]
        assert [event async for event in run.events(after=told[-1].cursor)] == []


async def test_who_was_away_while_a_run_failed_and_was_retried_is_told_of_both(db, hand, chain):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chain)
        (*_, cursor) = [event.cursor for event in await take(run.events(), 2)]
        hand.complete(run.run_id, "first", [1])
        hand.fail(run.run_id, "each")
        hand.call("retry_run", run.run_id)
        hand.complete(run.run_id, "each", 1)
        hand.complete(run.run_id, "last", 1)
        expected = [
            "first Completed",
            "each Started",
            "each AttemptsFailed",
            "each Failed",
            "last Cancelled",
            "run RunReopened",
            "each Started",
            "each Completed",
            "last Started",
            "last Completed",
            "run RunEnded",
        ]
        told = [event async for event in run.events(after=cursor)]
        assert names(told) == expected
        # Whoever reads it all from the beginning is told the same, and of one end.
        whole = [event async for event in run.events()]
        assert names(whole) == ["run RunStarted", "first Started", *expected]
        assert [event.cursor for event in whole][2:] == [event.cursor for event in told]


async def test_a_step_that_is_repeated_while_its_run_is_under_way_is_told_anew(db, hand, chain):
    async with AsyncClient(db) as client:
        run = await client.start_flow(chain)
        events = run.events()
        await take(events, 2)
        hand.complete(run.run_id, "first", [1])
        hand.call("restart_run", run.run_id, "first")
        assert names(await take(events, 4)) == [
            "first Completed",
            "each Started",
            "run RunReopened",
            "first Started",
        ]
        hand.complete(run.run_id, "first", [1])
        assert names(await take(events, 2)) == ["first Completed", "each Started"]
        await events.aclose()


def test_readers_who_come_and_go_at_random_are_all_told_the_same(db, hand, conn):
    flow = Flow("random", max_attempts=2)

    @flow.step
    def a() -> list[int]: ...

    @flow.map(over=a.output)
    def b(number: int) -> int: ...

    @flow.step(when_exhausted="skip")
    def c(numbers: list[int] = a.output) -> int: ...

    @flow.step
    def d(numbers: list[int] = b.output, number: int | None = c.output) -> int: ...

    hand.serve(flow)
    with Client(db) as client:
        for seed in range(12):
            run = client.start_flow(flow)
            _act_and_read(hand, run, random.Random(seed))


def _act_and_read(hand, run, chooser):
    readers = [_Reader(always=True), _Reader(), _Reader(), _Reader()]
    for _ in range(25):
        _act(hand, run, chooser)
        for reader in readers:
            if reader.always or chooser.random() < 0.3:
                reader.read(run)
    hand.cancel(run.run_id)
    for reader in readers:
        reader.read(run)
        reader.read(run)
    expected = readers[0].transitions()
    assert len(expected) > 4
    for reader in readers[1:]:
        assert reader.transitions() == expected
        assert len({event.cursor for event in reader.events}) == len(reader.events)
        assert isinstance(reader.events[-1], RunEnded)


class _Reader:
    """Reads what is there and goes away, with nothing but a cursor."""

    def __init__(self, *, always: bool = False) -> None:
        self.always = always
        self.events = []

    def read(self, run):
        from pgflow_client._follow import Follower
        from pgflow_client._functions.runs import get_run_reopenings

        follower = Follower(run.run_id, self.events[-1].cursor if self.events else None)
        progress = run.progress()
        past = run._database.call(get_run_reopenings(run.run_id, follower.reopened_count))
        self.events += follower.follow(progress, past)

    def transitions(self):
        """What happened to each step and to the run, in order; counts may be told in fewer steps,
        and an end that the run did not stay at need not be told as one.
        """
        told = {}
        *events, last = self.events
        for event in [*(each for each in events if not isinstance(each, RunEnded)), last]:
            if not isinstance(event, AttemptsFailed | MapProgressed):
                slugs = [getattr(event, "step_slug", "run")]
                if isinstance(event, RunReopened):
                    slugs += event.step_slugs
                for slug in slugs:
                    told.setdefault(slug, []).append((type(event).__name__, event.at))
        return told


def _act(hand, run, chooser):
    hand.claim()
    started = hand.conn.execute(
        "select step_slug, task_index from pgflow.step_tasks"
        " where run_id = %s and status = 'started'",
        (run.run_id,),
    ).fetchall()
    kind = chooser.random()
    if started and kind < 0.6:
        step, index = chooser.choice(started)
        output = [1, 2] if step == "a" else 1
        hand.complete(run.run_id, step, output, index=index)
    elif started and kind < 0.85:
        step, index = chooser.choice(started)
        hand.fail(run.run_id, step, index, is_final=chooser.random() < 0.5)
    elif kind < 0.95:
        status = run.refresh().status
        if status in ("failed", "cancelled"):
            hand.call("retry_run", run.run_id)
        else:
            hand.call("restart_run", run.run_id, chooser.choice("abcd"))
    else:
        hand.cancel(run.run_id)
