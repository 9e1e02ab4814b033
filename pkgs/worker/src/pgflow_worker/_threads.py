"""Threads for sync handlers: one that hangs costs itself, and holds nothing up."""

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Final, Generic, TypeAlias, TypeVar

from pgflow_worker._room import Room, TimeIsUp

T = TypeVar("T")

_Call: TypeAlias = Callable[[], None]


class _Outcome(Generic[T]):
    """What came of a call. A future cannot carry every exception, so it carries this."""

    __slots__ = ("error", "value")

    value: T

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def unwrap(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value


class _Thread:
    """A thread that does one call after the other."""

    def __init__(self, name: str) -> None:
        self.is_given_up = False
        self._calls: Final[SimpleQueue[_Call | None]] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def begin(self, call: _Call) -> None:
        self._calls.put(call)

    def end(self) -> None:
        self._calls.put(None)

    def give_up(self) -> None:
        """End it after its call. Told now: the loop may be gone when the call returns."""
        self.is_given_up = True
        self.end()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            # Not kept while it waits: it holds the arguments of the handler.
            del call


class HandlerThreads:
    """Runs calls in daemon threads, which are made as they are needed and used again.

    A standard pool joins its threads when the interpreter exits, so that a handler that hangs would
    keep a stopped worker alive, and has fewer threads with each one that hangs. Here such a thread
    is given up, and another takes its place.

    Args:
        count: How many calls may be under way at once, those that were given up not counted.
        name: Of the threads.
    """

    def __init__(self, count: int, name: str = "pgflow-handler") -> None:
        self._room: Final = Room(count)
        self._name: Final = name
        self._idle: Final[list[_Thread]] = []
        self._is_shut_down = False

    async def run(
        self,
        function: Callable[[], T],
        within: float | None = None,
        on_given_up: Callable[[], None] | None = None,
    ) -> T:
        """Call a function in a thread.

        Args:
            function: What to call.
            within: Seconds, from when a thread has it; None waits for ever.
            on_given_up: Called when the call goes on and what comes of it is dropped: its time is
                up, or who waited for it was cancelled.

        Raises:
            NoRoom: No thread came free; the function was not called.
            TimeIsUp: It took too long.
            BaseException: Whatever the function raises.
        """
        await self._room.enter()
        try:
            thread = self._idle.pop() if self._idle else _Thread(self._name)
            future: asyncio.Future[_Outcome[T]] = asyncio.get_running_loop().create_future()
            thread.begin(self._calling(function, thread, future))
            try:
                await asyncio.wait({future}, timeout=within)
            finally:
                if not future.done():
                    thread.give_up()
                    if on_given_up is not None:
                        on_given_up()
        finally:
            self._room.leave()
        if thread.is_given_up:
            raise TimeIsUp
        return future.result().unwrap()

    def shut_down(self) -> None:
        """End the threads that are idle now, and others as soon as their call returns."""
        self._is_shut_down = True
        while self._idle:
            self._idle.pop().end()

    def _calling(
        self, function: Callable[[], T], thread: _Thread, future: asyncio.Future[_Outcome[T]]
    ) -> _Call:
        loop = asyncio.get_running_loop()
        # Such as the current span; asyncio.to_thread does so too.
        context = copy_context()

        def call() -> None:
            outcome = _Outcome[T]()
            try:
                outcome.value = context.run(function)
            # SystemExit and KeyboardInterrupt are the caller's to judge, too.
            except BaseException as error:
                outcome.error = error
            try:
                loop.call_soon_threadsafe(self._take_back, thread, future, outcome)
            except RuntimeError:
                # The loop is closed: nobody waits for this call any more.
                thread.end()

        return call

    def _take_back(
        self, thread: _Thread, future: asyncio.Future[_Outcome[T]], outcome: _Outcome[T]
    ) -> None:
        if self._is_shut_down:
            thread.end()
        elif not thread.is_given_up:
            self._idle.append(thread)
        if not future.done():
            future.set_result(outcome)
