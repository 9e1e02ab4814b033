"""Flows whose handlers run on a Dask cluster, whose processes import them from here."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import timedelta

from pgflow_dsl import Context, FinalError, Flow

# What makes the executor, put here by the test: in the worker only, not in the cluster.
makers: list[Callable[[], Executor]] = []


def cluster() -> Executor:
    return makers[-1]()


heavy = Flow("heavy", input=int, base_delay=timedelta(0))


@heavy.step
async def spread(count: int = heavy.input) -> list[int]:
    return list(range(count))


@heavy.map(over=spread.output, executor=cluster)
def square(number: int, ctx: Context) -> list[int]:
    return [number * number, ctx.task_index, ctx.flow_input(), os.getpid()]


failing = Flow("failing_far", input=str, base_delay=timedelta(0))


@failing.step(executor=cluster)
def fail(kind: str = failing.input) -> None:
    if kind == "final":
        raise FinalError("no use")
    raise ValueError(kind)


dying = Flow("dying_far", input=str, base_delay=timedelta(0), max_attempts=5)


@dying.step(executor=cluster)
def die_once(ctx: Context, place: str = dying.input) -> int:
    if not os.path.exists(place):
        with open(place, "w"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return ctx.attempt


endless = Flow("endless_far", input=int, max_attempts=1)


@endless.step(executor=cluster, timeout=timedelta(seconds=1))
def hang(seconds: int = endless.input) -> None:
    time.sleep(seconds)
