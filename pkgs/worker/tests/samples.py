"""Flows whose handlers run in processes of their own, which import them from here."""

import multiprocessing
import os
import signal
import time
from datetime import timedelta

from opentelemetry import trace
from pgflow_dsl import Context, ContextUnavailable, FinalError, Flow

crunching = Flow("crunching", input=list[int])


@crunching.map(over=crunching.input, executor="process")
def square(number: int, ctx: Context) -> list[int]:
    return [number * number, ctx.task_index, os.getpid()]


suicidal = Flow("suicidal", max_attempts=2, base_delay=timedelta(0))


@suicidal.step(executor="process")
def die_once(ctx: Context) -> int:
    if ctx.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return ctx.attempt


endless = Flow("endless_process", input=str, max_attempts=1)


@endless.step(executor="process", timeout=timedelta(seconds=1))
def never_return(path: str = endless.input) -> None:
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    while True:
        time.sleep(60)


class Unpicklable(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


raising = Flow("raising_process", input=str, max_attempts=3, base_delay=timedelta(0))


@raising.step(executor="process")
def raise_it(kind: str = raising.input) -> None:
    if kind == "final":
        raise FinalError("no use")
    if kind == "exit":
        raise SystemExit(3)
    raise Unpicklable("this", "that")


SPAWN = multiprocessing.get_context("spawn")


def resources_or_why_not(ctx: Context) -> str:
    try:
        return str(ctx.resources)
    except ContextUnavailable as error:
        return error.what


# A machine that is busy takes its time to start a process.
asking = Flow("asking", input=int, max_attempts=9, base_delay=timedelta(0))


@asking.step
async def two() -> list[int]:
    return [1, 2]


@asking.map(over=two.output, executor="process")
def ask(number: int, ctx: Context) -> tuple[int, str]:
    return ctx.flow_input() + number, resources_or_why_not(ctx)


pooled = Flow("pooled", input=int)


@pooled.step
async def one() -> int:
    return 1


@pooled.step
def ask_too(ctx: Context, number: int = one.output) -> tuple[int, str]:
    return ctx.flow_input() + number, resources_or_why_not(ctx)


telling = Flow("telling", input=int, max_attempts=1)


@telling.step(executor="process")
def tell(ctx: Context, count: int = telling.input) -> int:
    for number in range(count):
        ctx.emit({"n": number})
    return os.getpid()


mute = Flow("mute", max_attempts=1)


@mute.step
def say(ctx: Context) -> str:
    try:
        ctx.emit("hello")
    except ContextUnavailable as error:
        return error.what
    return ""


traced = Flow("traced_process")


@traced.step(executor="process")
def tell_trace() -> str:
    return f"{trace.get_current_span().get_span_context().trace_id:032x}"
