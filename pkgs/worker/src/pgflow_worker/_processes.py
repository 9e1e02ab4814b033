"""Processes for CPU-bound handlers: one that is past its time is killed, and a new one made."""

import asyncio
import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Final

from pgflow_dsl import AttemptCancelled, FinalError

from pgflow_worker._child import converse, prepare, serve_handlers
from pgflow_worker._faults import Fault, ProcessLost
from pgflow_worker._perform import Work
from pgflow_worker._room import NoRoom, Room, TimeIsUp
from pgflow_worker._surroundings import Nearby
from pgflow_worker._threads import HandlerThreads

# A process imports the handler's module before it begins, which takes long on a busy machine. With
# the longest wait for a place it stays below the 30 s after which the database takes the task.
_LONGEST_START: Final = 8.0
# One that is ready begins at once, if it can at all.
_LONGEST_BEGINNING: Final = 8.0
# Not forked: a child would inherit locks and connections in the middle of their use.
_SPAWN: Final = multiprocessing.get_context("spawn")


class HandlerProcesses:
    """Runs handlers in processes, which are made as they are needed and used again.

    A standard pool breaks as a whole when one of its processes dies, and cannot end one.

    Args:
        count: How many there may be; None is one for each CPU.
    """

    def __init__(self, count: int | None) -> None:
        places = count or os.cpu_count() or 1
        self._room: Final = Room(places)
        # Each waits for what its process says.
        self._threads: Final = HandlerThreads(places, "pgflow-process")
        self._idle: Final[list[_Child]] = []
        self._growing: Final[set[_Child]] = set()
        self._is_shut_down = False

    async def run(self, work: Work) -> str | Fault:
        """Run a handler; return its output as JSON text, or what it raised.

        Raises:
            NoRoom: No process came free, or was ready in time; the handler was not called.
            TimeIsUp: The handler was past its timeout; its process was killed.
            ProcessLost: The process died, or could not begin in time.
        """
        data = pickle.dumps(work)
        await self._room.enter()
        child = self._idle.pop() if self._idle else await self._grow(work)
        try:
            try:
                return await self._ask(child, data, work)
            finally:
                if child.is_usable:
                    self._idle.append(child)
                else:
                    # The thread that waits for its answer is told that it died.
                    child.kill()
        finally:
            self._room.leave()

    def shut_down(self) -> None:
        """End the processes that are idle; `run` kills the others when it is cancelled."""
        self._is_shut_down = True
        for child in self._growing:
            child.kill()
        while self._idle:
            child = self._idle.pop()
            child.kill()
            child.forget()
        self._threads.shut_down()

    async def _grow(self, work: Work) -> "_Child":
        """Make a process, in the place that the caller has entered.

        Raises:
            NoRoom: It is not ready in time. It is not killed for that: on a busy machine the next
                one would not be ready any sooner. It keeps the place until it can be used.
            ProcessLost: It died. So it did where this is cancelled; the place is left.
        """
        child = _Child()
        step = pickle.dumps(work.step)
        preparing = asyncio.ensure_future(self._threads.run(lambda: child.prepare(step)))
        try:
            await asyncio.wait({preparing}, timeout=_LONGEST_START)
            if preparing.done():
                preparing.result()
                return child
        except BaseException:
            preparing.cancel()
            child.kill()
            self._room.leave()
            raise
        self._growing.add(child)
        preparing.add_done_callback(partial(self._settle, child))
        raise NoRoom

    def _settle(self, child: "_Child", preparing: asyncio.Future[None]) -> None:
        """Take a process that was long in coming among those that are idle."""
        self._growing.discard(child)
        if preparing.cancelled() or preparing.exception() or self._is_shut_down:
            child.kill()
        else:
            self._idle.append(child)
        self._room.leave()

    async def _ask(self, child: "_Child", data: bytes, work: Work) -> str | Fault:
        loop = asyncio.get_running_loop()
        begun = asyncio.Event()

        def ask() -> str | Fault:
            return child.ask(data, work, lambda: loop.call_soon_threadsafe(begun.set))

        asking = asyncio.ensure_future(self._threads.run(ask))
        beginning = asyncio.ensure_future(begun.wait())
        try:
            await asyncio.wait(
                {asking, beginning}, timeout=_LONGEST_BEGINNING, return_when=asyncio.FIRST_COMPLETED
            )
            if begun.is_set():
                await asyncio.wait({asking}, timeout=work.timeout)
            if asking.done():
                return asking.result()
        finally:
            beginning.cancel()
            asking.cancel()
        if begun.is_set():
            # Its thread may wait for room for what the handler emits.
            work.cancellation.set("the attempt is out of time")
            raise TimeIsUp
        raise ProcessLost(f"the process did not begin with it within {_LONGEST_BEGINNING:g} s")


class _Child:
    """A process that runs one handler after the other."""

    def __init__(self) -> None:
        self.is_usable = False
        self._ours, self._theirs = _SPAWN.Pipe()
        self._process: Final = _SPAWN.Process(target=serve_handlers, args=(self._theirs,))
        self._lock: Final = threading.Lock()
        self._is_killed = False

    def prepare(self, step: bytes) -> None:
        """Start the process, and wait until it is ready for a step."""
        with self._telling_of_its_end():
            self._start()
            prepare(self._ours, step)

    def ask(self, data: bytes, work: Work, on_begin: Callable[[], object]) -> str | Fault:
        """Have a handler run; wait for what comes of it."""
        self.is_usable = False
        try:
            with self._telling_of_its_end():
                outcome = converse(
                    self._ours,
                    data,
                    on_begin,
                    read_input=lambda: _nearby(work).read_input_text(),
                    emit=lambda text: _nearby(work).emit(text),
                )
        except AttemptCancelled:
            self._drop()
            # If it was for another reason, nobody looks at what came of it.
            raise TimeIsUp from None
        except FinalError:
            self._drop()
            raise
        self.is_usable = True
        return outcome

    @contextmanager
    def _telling_of_its_end(self) -> Generator[None]:
        try:
            yield
        except (EOFError, OSError):
            self.forget()
            code = self._process.exitcode
            how = f"by signal {-code}" if code and code < 0 else f"with exit code {code}"
            raise ProcessLost(f"the process of the handler ended {how}") from None

    def kill(self) -> None:
        """End the process at once."""
        with self._lock:
            self._is_killed = True
            if self._process.pid is not None:
                self._process.kill()

    def forget(self) -> None:
        """Take leave of a process that has ended or is about to."""
        if self._process.pid is not None:
            self._process.join(5)
        self._ours.close()

    def _drop(self) -> None:
        """End a process that was left in the middle of its handler."""
        self.kill()
        self.forget()

    def _start(self) -> None:
        with self._lock:
            if self._is_killed:
                raise EOFError
            if self._process.pid is None:
                self._process.start()
                # With its own end closed, the end of the process is the end of what it says.
                self._theirs.close()


def _nearby(work: Work) -> Nearby:
    # A handler without a context cannot ask.
    assert isinstance(work.surroundings, Nearby)
    return work.surroundings
