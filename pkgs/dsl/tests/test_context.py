"""The context of a task."""

import asyncio
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta

import pytest
from pgflow_dsl import AttemptCancelled, Context, ContextUnavailable, Flow, ItemInvalid
from pgflow_dsl.testing import make_context


def test_time_left_counts_down_to_zero(context: Context) -> None:
    assert context.time_left() > timedelta(days=1)
    over = replace(context, deadline=datetime(2000, 1, 1, tzinfo=UTC))
    assert over.time_left() == timedelta(0)


def test_a_context_is_not_changed(context: Context) -> None:
    with pytest.raises(FrozenInstanceError):
        context.attempt = 2  # type: ignore[misc] # that is what is tested


def test_a_heartbeat_lets_an_attempt_go_on_while_it_counts(context: Context) -> None:
    context.heartbeat()
    context.cancelled.set("the run has ended")
    with pytest.raises(AttemptCancelled, match="the run has ended"):
        context.heartbeat()
    assert not issubclass(AttemptCancelled, Exception)


def test_a_heartbeat_ends_an_attempt_that_is_out_of_time(context: Context) -> None:
    with pytest.raises(AttemptCancelled, match="out of time"):
        replace(context, deadline=datetime(2000, 1, 1, tzinfo=UTC)).heartbeat()


@pytest.mark.parametrize("name", ["resources", "connection"])
def test_what_a_context_does_not_have_is_told(context: Context, name: str) -> None:
    with pytest.raises(ContextUnavailable, match=name):
        getattr(context, name)


def test_a_context_without_a_worker_has_no_flow_input(context: Context) -> None:
    with pytest.raises(ContextUnavailable, match="flow_input"):
        context.flow_input()


def test_a_test_makes_a_context_with_what_its_handler_uses() -> None:
    made = make_context(attempt=2, resources=["a"], connection="conn", flow_input=5)

    async def handle(ctx: Context) -> int:
        value: int = await ctx.flow_input()
        return value

    assert made.attempt == 2
    assert made.resources == ["a"]
    assert made.connection == "conn"
    assert made.flow_input() == 5
    assert asyncio.run(handle(made)) == 5
    for name in ("resources", "connection"):
        with pytest.raises(ContextUnavailable, match=name):
            getattr(make_context(), name)
    with pytest.raises(ContextUnavailable, match="make_context"):
        make_context().flow_input()


def test_a_generic_context_is_a_parameter_for_the_context() -> None:
    flow = Flow("generic", input=int)

    @flow.step
    def only(ctx: Context[list[str]], number: int = flow.input) -> int:
        return number + len(ctx.resources)

    assert only.takes_context
    assert only(make_context(resources=["a", "b"]), 1) == 3


def test_a_test_sees_what_its_handler_emits_as_clients_do() -> None:
    emitted: list[object] = []
    made = make_context(emitted=emitted)

    async def handle(ctx: Context) -> None:
        await ctx.emit("awaited")
        ctx.emit(datetime(2000, 1, 1, tzinfo=UTC))

    asyncio.run(handle(made))
    made.emit({"n": None})
    make_context().emit("for nobody")
    assert emitted == ["awaited", "2000-01-01T00:00:00Z", {"n": None}]


def test_what_cannot_be_stored_is_not_emitted() -> None:
    emitted: list[object] = []
    made = make_context(emitted=emitted, flow_slug="chat", step_slug="answer")
    for value, reason in (
        (object(), "object"),
        ({"part": float("nan")}, "part: nan is a number that JSON cannot hold"),
        (["\0"], "NUL"),
        ("x" * (16 * 2**20), "16,777,218 characters"),
    ):
        with pytest.raises(ItemInvalid, match=f"item of step 'answer' of flow 'chat'.*{reason}"):
            made.emit(value)
    made.cancelled.set("the run has ended")
    with pytest.raises(AttemptCancelled, match="the run has ended"):
        made.emit("late")
    assert emitted == []


def test_a_context_without_a_worker_does_not_emit(context: Context) -> None:
    with pytest.raises(ContextUnavailable, match="emit"):
        context.emit("nowhere")
