"""Where sync handlers run: threads, processes, or an executor of the user's own."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from pgflow_worker._faults import Fault, HandlerTimeout
from pgflow_worker._perform import Work, perform
from pgflow_worker._processes import HandlerProcesses
from pgflow_worker._room import LONGEST_WAIT, TimeIsUp
from pgflow_worker._threads import HandlerThreads
from pgflow_worker.options import WorkerOptions

logger: Final = logging.getLogger("pgflow.worker")

_MOST_THREADS: Final = 32


class Executors:
    """Runs sync handlers. Threads and processes are made when they are first needed.

    Args:
        options: How many of each.
    """

    def __init__(self, options: WorkerOptions) -> None:
        threads = options.threads or min(options.concurrency, _MOST_THREADS)
        self._threads: Final = HandlerThreads(threads)
        self._processes: Final = HandlerProcesses(options.processes)
        self._given: Final = _GivenExecutors()

    async def run(self, work: Work) -> str | Fault:
        """Run a handler where its step says; return its output as JSON text, or a fault.

        Raises:
            NoRoom: The handler was not called, for want of a thread or process.
            HandlerTimeout: It took too long.
            BaseException: Whatever the handler raised.
        """
        chosen = work.step.executor
        try:
            if chosen == "process":
                return await self._processes.run(work)
            if chosen is not None and chosen != "thread":
                return await _run_elsewhere(await self._given.get(chosen), work)
        except TimeIsUp:
            raise HandlerTimeout(work.timeout) from None
        return await self.run_in_thread(work, lambda: perform(work))

    async def run_in_thread(self, work: Work, call: Callable[[], str]) -> str:
        """Call what runs a handler in a thread; return its output as JSON text.

        Args:
            work: What it works on.
            call: Runs the handler.

        Raises:
            NoRoom: It was not called, for want of a thread.
            HandlerTimeout: It took too long.
            BaseException: Whatever the handler raised.
        """
        try:
            return await self._threads.run(call, work.timeout, lambda: _give_up(work, "thread"))
        except TimeIsUp:
            raise HandlerTimeout(work.timeout) from None

    def shut_down(self) -> None:
        """End threads and processes without waiting for handlers that go on."""
        self._threads.shut_down()
        self._processes.shut_down()
        self._given.shut_down()


class _GivenExecutors:
    """Executors of the user's, those among them made that were given as functions."""

    def __init__(self) -> None:
        self._making: Final[dict[Callable[[], Executor], asyncio.Task[Executor]]] = {}

    async def get(self, given: Executor | Callable[[], Executor]) -> Executor:
        """Return the executor, made if it has not been.

        Raises:
            Exception: Whatever the function raises; it is called again the next time.
        """
        if isinstance(given, Executor):
            return given
        making = self._making.get(given)
        if making is None or (making.done() and (making.cancelled() or making.exception())):
            # In a thread: it may have to reach a cluster first.
            making = self._making[given] = asyncio.create_task(asyncio.to_thread(given))
        return await asyncio.shield(making)

    def shut_down(self) -> None:
        """End those that were made here."""
        for making in self._making.values():
            if not making.done():
                making.cancel()
            elif not making.cancelled() and making.exception() is None:
                making.result().shutdown(wait=False)


async def _run_elsewhere(executor: Executor, work: Work) -> str:
    """Run a handler in an executor of the user's.

    Waiting for its turn does not count as its time, but for as long as it may wait for a place.

    Raises:
        TimeIsUp: It took too long.
    """
    timed = _Timed(work)
    call = executor.submit(timed)
    future = asyncio.wrap_future(call)
    given_up_at = time.monotonic() + work.timeout + LONGEST_WAIT
    left = work.timeout
    try:
        while left > 0:
            done, _ = await asyncio.wait({future}, timeout=left)
            if done:
                return future.result()
            # Some executors never say that a call is running.
            left = min(timed.time_left(call.running()), given_up_at - time.monotonic())
        raise TimeIsUp
    finally:
        # What comes of it is nobody's business any more, an exception neither.
        if not future.done():
            future.cancel()
            if not call.cancel():
                _give_up(work, "call of its executor")


class _Timed:
    """Work that knows when it began, as far as that can be known here."""

    __slots__ = ("_began", "_work")

    def __init__(self, work: Work) -> None:
        self._work = work
        self._began: float | None = None

    def time_left(self, is_running: bool) -> float:
        """Return the seconds that it may go on."""
        if self._began is not None:
            return self._began + self._work.timeout - time.monotonic()
        # In another process, when it began is not known here.
        return 0 if is_running else self._work.timeout

    def __call__(self) -> str:
        self._began = time.monotonic()
        return perform(self._work)


def _give_up(work: Work, what: str) -> None:
    # The first reason stays: this is it where no other was given.
    work.cancellation.set("the attempt is out of time")
    logger.warning(
        "step %s of flow %s is given up in run %s, task %d, for %s, but a %s cannot be stopped: it "
        "goes on until its handler calls heartbeat() or returns, and its result is dropped",
        work.step.slug,
        work.step.flow.slug,
        work.row.run_id,
        work.row.task_index,
        work.cancellation.reason,
        what,
    )
