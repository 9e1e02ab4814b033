"""Waiting and running beside each other, on an asyncio event loop."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

__all__ = [
    "Bell",
    "Flag",
    "Semaphore",
    "Worker",
    "deliver",
    "heed_cancellation",
    "is_current",
    "join",
    "resolve",
    "sleep",
    "spawn",
    "stop",
]

T = TypeVar("T")

Semaphore = asyncio.Semaphore
Worker = asyncio.Task[None]
sleep = asyncio.sleep


class Flag:
    """A flag that one waits for and others raise."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Raise the flag."""
        self._event.set()

    async def take(self, seconds: float) -> bool:
        """Wait for the flag at most so long, lower it, and return whether it was up."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class Bell:
    """Ends a wait early: rung by others, or by data on a socket."""

    def __init__(self) -> None:
        self._flag = Flag()

    def ring(self) -> None:
        """End the wait, or the next one where nobody waits."""
        self._flag.set()

    async def wait(self, socket: int | None, seconds: float) -> bool:
        """Wait for a ring or for data, and return whether there was one.

        Args:
            socket: File descriptor of the socket; None waits for rings alone.
            seconds: Longest wait.
        """
        if socket is None:
            return await self._flag.take(seconds)
        loop = asyncio.get_running_loop()
        loop.add_reader(socket, self._flag.set)
        try:
            return await self._flag.take(seconds)
        finally:
            loop.remove_reader(socket)

    def close(self) -> None:
        """Free what it holds."""


@contextmanager
def heed_cancellation() -> Generator[None, None, None]:
    """Raise a cancellation that came in the block but was lost there.

    On Python 3.11 `asyncio.wait_for`, which releases of psycopg wait with, loses one that comes
    together with the data.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    yield
    if task and task.cancelling() > before:
        raise asyncio.CancelledError


def spawn(function: Callable[[], Coroutine[Any, Any, None]], name: str) -> Worker:
    """Run a function beside the caller."""
    return asyncio.create_task(function(), name=name)


def stop(worker: Worker) -> None:
    """Have a spawned function end at its next wait."""
    worker.cancel()


def is_current(worker: Worker) -> bool:
    """Return whether it is the spawned function that asks."""
    return asyncio.current_task() is worker


async def deliver(callback: Callable[[T], object], value: T) -> None:
    """Call a function that may be async, and wait until it is done."""
    returned = callback(value)
    if inspect.isawaitable(returned):
        await returned


async def join(worker: Worker) -> None:
    """Wait until a spawned function has returned."""
    await asyncio.wait([worker])


async def resolve(given: T | Callable[[], T | Awaitable[T]]) -> T:
    """Return a value that may have been given as a function, also an async one."""
    made: Any = given() if callable(given) else given
    return cast("T", await made if inspect.isawaitable(made) else made)
