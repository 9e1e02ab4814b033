"""A worker as a process: its signals, and an end that comes in bounded time."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pgflow_worker import WorkerState, WorkerStateInvalid

from pgflow_cli.children import STOP
from pgflow_cli.ending import leave_without_waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from pgflow_worker import Worker

    from pgflow_cli.children import Line

__all__ = ["serve"]

logger: Final = logging.getLogger("pgflow.worker")

# How long tasks of the loop get to end after their cancellation, in seconds.
_PATIENCE: Final = 1.0
_KILLED: Final = 128
# How often a child looks whether it still serves, in seconds.
_LOOK_INTERVAL: Final = 1.0


def serve(make_worker: Callable[[], Worker], line: Line | None = None) -> int:
    """Run a worker until a signal ends it.

    The first SIGTERM or SIGINT drains it, the second stops it at once and hands its tasks back,
    the third ends the process. A child does what its parent says, and signals only drain it.

    Args:
        make_worker: Makes the worker, on the loop that is to run it.
        line: The line to the parent of this process, where it is a child of a supervisor.

    Returns:
        The exit code: 0 for a worker that drained, 128 + N where signal N cut it short.

    Raises:
        PgflowError: It could not start.
    """
    # psycopg needs this kind, which is not the default one everywhere.
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(_serve(loop, make_worker, line))
    finally:
        _close(loop)


async def _serve(
    loop: asyncio.AbstractEventLoop, make_worker: Callable[[], Worker], line: Line | None
) -> int:
    worker = make_worker()
    running = asyncio.ensure_future(worker.run())
    signals = _Signals(worker, running, is_child=line is not None)
    signals.listen(loop)
    saying = None
    if line is not None:
        signals.follow(line, loop)
        saying = asyncio.ensure_future(_say_readiness(worker, line))
    try:
        await _end_of(running)
    except asyncio.CancelledError:
        if not signals.urgency:
            raise
    finally:
        if saying is not None:
            saying.cancel()
    return signals.exit_code


async def _end_of(running: asyncio.Future[None]) -> None:
    """Wait until the worker has ended, also where a handler cancels all tasks of the loop."""
    while not running.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({running})
    running.result()


async def _say_readiness(worker: Worker, line: Line) -> None:
    """Tell the parent whether the worker serves, at each change."""
    # One that cannot start is never ready; `run` says why.
    with suppress(WorkerStateInvalid):
        await worker.wait_ready()
        was_ready = False
        while True:
            is_ready = worker.health().is_ready
            if is_ready is not was_ready:
                line.say(is_ready=is_ready)
            was_ready = is_ready
            await asyncio.sleep(_LOOK_INTERVAL)


class _Signals:
    """What signals, and the orders of a parent, do to a worker.

    Attributes:
        urgency: 0 for a worker that is to go on, then what was asked for: 1 to drain, 2 to stop at
            once, 3 to end without a word.
    """

    def __init__(
        self, worker: Worker, running: asyncio.Future[None], *, is_child: bool = False
    ) -> None:
        self.urgency = 0
        self._worker: Final = worker
        self._running: Final = running
        self._is_child: Final = is_child
        self._number: int = signal.SIGTERM
        self._was_cut_short = False

    @property
    def exit_code(self) -> int:
        """0 unless the worker was cut short."""
        return _KILLED + self._number if self._was_cut_short else 0

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the signals handled on the loop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                loop.add_signal_handler(number, self._receive, number)
            except NotImplementedError:  # On Windows loops take no signals.
                # There a handler runs between two instructions of the main thread.
                def pass_on(got: int, frame: object) -> None:
                    loop.call_soon_threadsafe(self._receive, got)

                signal.signal(number, pass_on)

    def follow(self, line: Line, loop: asyncio.AbstractEventLoop) -> None:
        """Have the orders of the parent handled on the loop."""

        def pass_on(order: bytes) -> None:
            # A loop that is closed has nothing left to end.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._end, 2 if order == STOP else 1, signal.SIGTERM)

        line.follow(pass_on)

    def _receive(self, number: int) -> None:
        # A service manager may send them to the parent and its children; the parent counts.
        self._end(1 if self._is_child else self.urgency + 1, number)

    def _end(self, urgency: int, number: int) -> None:
        if urgency <= self.urgency:
            return
        self.urgency, self._number = urgency, number
        name = signal.Signals(number).name
        if urgency > 2:
            logger.error("%s: ends without a word; others take over its tasks", name)
            os._exit(_KILLED + number)
        if urgency == 2:
            logger.warning("%s: stops at once and hands its tasks back", name)
            self._was_cut_short = True
            self._worker.stop()
        elif self._worker.state in (WorkerState.CREATED, WorkerState.STARTING):
            # Nothing has been claimed yet, and a connection may be long in coming.
            self._was_cut_short = True
            self._running.cancel()
        else:
            logger.info("%s: finishes its tasks; once more stops it at once", name)
            self._worker.drain()


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Close the loop, if all that runs on it lets itself be ended."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        with suppress(KeyboardInterrupt):
            _, tasks = loop.run_until_complete(asyncio.wait(tasks, timeout=_PATIENCE))
    if tasks:
        # A handler that swallows its cancellation.
        leave_without_waiting()
        return
    loop.run_until_complete(loop.shutdown_asyncgens())
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    asyncio.set_event_loop(None)
    loop.close()
