"""The parts of a worker that need no database."""

import asyncio
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from pgflow_client import DatabaseUnreachable
from pgflow_client.worker_protocol import Failure, Reports, TaskRow
from pgflow_dsl import FinalError, Flow, HandlerOutputInvalid, RetryAfter, job
from pgflow_worker import (
    FlowsInvalid,
    Worker,
    WorkerOptions,
    WorkerOptionsInvalid,
    WorkerState,
    WorkerStateInvalid,
)
from pgflow_worker._exchange import _halves
from pgflow_worker._faults import describe
from pgflow_worker._limits import Limits
from pgflow_worker._outbox import Outbox
from pgflow_worker._slots import Slots
from pgflow_worker.registry import Registry
from pgflow_worker.state import TRANSITIONS, transition


def row(index: int = 0) -> TaskRow:
    return TaskRow("flow", "run", "step", "{}", index, None, 1, None)


def reports(completed: int, failed: int) -> Reports:
    return Reports(
        completed=[row(index) for index in range(completed)],
        outputs=[str(index) for index in range(completed)],
        failures=[Failure(row=row(100 + index), message="bad") for index in range(failed)],
    )


def rows(count: int, step_slug: str = "step") -> list[TaskRow]:
    return [row(index)._replace(step_slug=step_slug) for index in range(count)]


def test_slots_are_reserved_all_at_once_and_given_back():
    slots = Slots(5)
    reserved = slots.reserve()
    assert (reserved.quantity, reserved.text) == (5, None)
    assert slots.reserve().quantity == 0
    assert slots.settle(reserved, rows(3)) == []
    slots.give_back(rows(1))
    assert slots.reserve().quantity == 3
    slots.take_back(rows(2))
    assert slots.reserve().quantity == 0
    slots.give_back(rows(3))
    assert slots.reserve().quantity == 1


def test_who_waits_for_room_is_not_woken_by_room_that_is_taken_at_once():
    async def wait() -> None:
        slots = Slots(1)
        slots.settle(slots.reserve(), rows(1))
        waiting = asyncio.create_task(slots.wait_for_room())
        await asyncio.sleep(0)
        slots.give_back(rows(1))
        assert slots.reserve().quantity == 1
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        slots.give_back(rows(1))
        await asyncio.wait_for(waiting, 10)

    asyncio.run(wait())


def test_the_room_of_a_limited_step_is_reserved_by_one_claim_at_a_time():
    slots = Slots(10, ["flow"], {"flow.few": 2})
    first = slots.reserve()
    assert (first.quantity, first.room) == (10, {"flow.few": 2})
    assert slots.settle(first, [*rows(1, "few"), *rows(4, "many")]) == []
    second = slots.reserve()
    assert (second.quantity, second.room) == (5, {"flow.few": 1})
    slots.give_back(rows(1, "few"))
    assert slots.reserve().room == {"flow.few": 1}
    assert slots.settle(second, []) == []
    slots.give_back([*rows(1, "few"), *rows(4, "many")])
    assert slots.reserve().room == {"flow.few": 2}


def test_what_a_claim_took_beyond_a_limit_is_told_and_counted():
    slots = Slots(10, ["flow"], {"flow.few": 2})
    claimed = rows(4, "few")
    assert slots.settle(slots.reserve(), claimed) == claimed[2:]
    assert slots.reserve().room == {"flow.few": 0}
    slots.give_back(claimed)
    assert slots.reserve().room == {"flow.few": 2}


def test_a_flow_at_its_limit_is_closed_and_a_worker_of_closed_flows_waits():
    async def wait() -> None:
        slots = Slots(10, ["flow", "other"], {"flow": 1, "other": 1})
        assert slots.limits_flows
        slots.settle(slots.reserve(), rows(1))
        assert slots.open_flows() == ["other"]
        other = [row()._replace(flow_slug="other")]
        slots.settle(slots.reserve(), other)
        assert slots.reserve().quantity == 0
        waiting = asyncio.create_task(slots.wait_for_room())
        await asyncio.sleep(0)
        slots.give_back(other)
        await asyncio.wait_for(waiting, 10)
        assert slots.open_flows() == ["other"]

    asyncio.run(wait())


@pytest.mark.parametrize(
    ("completed", "failed"), [pair for pair in product(range(6), range(6)) if sum(pair) > 1]
)
def test_halves_of_a_report_are_never_empty_and_hold_all_of_it(completed: int, failed: int):
    whole = reports(completed, failed)
    first, second = _halves(whole)
    assert len(first) > 0
    assert len(second) > 0
    assert [*first.completed, *second.completed] == whole.completed
    assert [*first.outputs, *second.outputs] == whole.outputs
    assert [*first.failures, *second.failures] == whole.failures


def test_an_outbox_hands_out_everything_once():
    outbox = Outbox(100)
    outbox.add_output(row(1), "1")
    outbox.add_failure(Failure(row=row(2), message="bad"))
    assert len(outbox) == 2
    assert outbox.filled.is_set()

    taken = outbox.take()

    assert taken.rows() == [row(1), row(2)]
    assert taken.outputs == ["1"]
    assert len(outbox) == 0
    assert not outbox.filled.is_set()


def test_a_lane_takes_its_share_and_leaves_the_rest_to_the_next():
    outbox = Outbox(2)
    for index in range(3):
        outbox.add_output(row(index), str(index))

    assert outbox.take().outputs == ["0", "1"]
    assert outbox.filled.is_set()
    assert outbox.take().outputs == ["2"]
    assert not outbox.filled.is_set()


def test_huge_outputs_leave_in_several_reports(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pgflow_worker._outbox._LARGEST_REPORT", 10)
    outbox = Outbox(100)
    outputs = ["a" * 4, "b" * 4, "c" * 30, "d"]
    for index, output in enumerate(outputs):
        outbox.add_output(row(index), output)

    taken = []
    while outbox.filled.is_set():
        taken.append(outbox.take())

    assert [list(each.outputs) for each in taken] == [outputs[:2], outputs[2:3], outputs[3:]]
    assert [each for part in taken for each in part.completed] == [row(i) for i in range(4)]


@pytest.mark.parametrize("output", ["x" * 20, "é" * 10])
def test_an_output_that_no_jsonb_can_hold_is_a_final_failure(
    monkeypatch: pytest.MonkeyPatch, output: str
):
    monkeypatch.setattr("pgflow_worker._outbox._LARGEST_OUTPUT", 19)
    outbox = Outbox(100)
    outbox.add_output(row(), output)

    (failure,) = outbox.take().failures

    assert failure.is_final
    assert "20 bytes" in failure.message


def test_a_registry_finds_handlers_and_their_timeouts():
    flow = Flow("timed", input=int, timeout=timedelta(seconds=7))

    @flow.step
    async def inherits(number: int = flow.input) -> int:
        return number

    @flow.step(timeout=timedelta(seconds=3))
    async def own(number: int = flow.input) -> int:
        return number

    @job
    async def plain(number: int) -> int:
        return number

    registry = Registry([flow, plain])

    assert registry.flow_slugs == ["timed", "plain"]
    found = {slug: registry.find("timed", slug) for slug in ("inherits", "own", "missing")}
    assert found["inherits"] is not None
    assert found["inherits"].step is inherits
    assert found["inherits"].timeout == 7
    assert found["own"] is not None
    assert found["own"].timeout == 3
    assert found["missing"] is None
    in_job = registry.find("plain", "plain")
    assert in_job is not None
    assert in_job.timeout == 60
    assert registry.find(None, "own") is None


def test_what_is_no_flow_cannot_be_served():
    nonsense: Any = "flows:greet"
    with pytest.raises(FlowsInvalid, match="flows:greet"):
        Registry([nonsense])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("concurrency", 0),
        ("limits", {"flow": 0}),
        ("lanes", 0),
        ("threads", 0),
        ("processes", -1),
        ("poll_interval", timedelta(0)),
        ("heartbeat_interval", timedelta(0)),
        ("shutdown_timeout", timedelta(seconds=-1)),
        ("lease", timedelta(seconds=4)),
        ("lease", timedelta(seconds=7.5)),
    ],
)
def test_an_option_out_of_its_range_is_named(option: str, value: Any):
    with pytest.raises(WorkerOptionsInvalid, match=option) as raised:
        WorkerOptions(**{option: value})
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize("limited", ["elsewhere", "plain.elsewhere", "elsewhere.plain", ""])
def test_a_limit_of_what_the_worker_does_not_serve_is_refused(limited: str):
    @job
    async def plain(number: int) -> int:
        return number

    with pytest.raises(WorkerOptionsInvalid, match="limits"):
        Limits({limited: 1}, Registry([plain]))


def test_limits_are_given_for_flows_and_steps_or_by_their_slugs():
    @job
    async def plain(number: int) -> int:
        return number

    registry = Registry([plain])
    by_object = Limits({plain: 5, plain.main: 2}, registry)
    assert by_object.counts == {"plain": 5, "plain.plain": 2}
    assert by_object.steps == [("plain", "plain")]
    assert Limits({"plain": 5, "plain.plain": 2}, registry).counts == by_object.counts


def test_states_follow_each_other_as_the_table_says():
    for old, new in product(WorkerState, WorkerState):
        if new is old or new in TRANSITIONS[old]:
            assert transition(old, new) is new
        else:
            with pytest.raises(WorkerStateInvalid, match=f"{old} cannot become {new}"):
                transition(old, new)
    assert not TRANSITIONS[WorkerState.STOPPED]


def test_a_url_that_is_none_is_told_before_anything_is_started():
    flow = Flow("nowhere")

    @flow.step
    async def only() -> None: ...

    with pytest.raises(DatabaseUnreachable, match="not a database URL"):
        Worker([flow], "this is no url")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this")


@pytest.mark.parametrize(
    ("error", "message", "is_final", "delay"),
    [
        (ValueError("bad"), "ValueError: bad", False, None),
        (ValueError(), "ValueError", False, None),
        (FinalError("no use"), "FinalError: no use", True, None),
        (RetryAfter(timedelta(seconds=1.2), "soon"), "RetryAfter: soon", False, 2),
        (RetryAfter(timedelta(days=99999), "never"), "RetryAfter: never", False, 2**31 - 1),
        (Unprintable(), "Unprintable: its text cannot be had", False, None),
        (ValueError("nul \0 and \ud800"), "ValueError: nul \\0 and \\ud800", False, None),
        (HandlerOutputInvalid("f", "s", (("", "no"),)), "HandlerOutputInvalid: output", True, None),
        (KeyboardInterrupt(), "KeyboardInterrupt", False, None),
    ],
)
def test_exceptions_are_put_into_words(
    error: BaseException, message: str, is_final: bool, delay: int | None
):
    fault = describe(error)
    assert fault.message.startswith(message)
    assert fault.error_type == type(error).__name__
    assert fault.is_final is is_final
    assert fault.retry_delay == delay


def test_a_message_is_never_longer_than_what_is_kept():
    fault = describe(ValueError("x" * 1_000_000))
    assert len(fault.message) == 10_000
    assert fault.traceback is not None
    assert len(fault.traceback) <= 10_000
