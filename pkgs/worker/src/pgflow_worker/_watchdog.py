"""Seeing from a thread of its own that a handler holds up the event loop, and saying which."""

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

from pgflow_worker._about import about
from pgflow_worker._attempt import Attempt, current_attempt

logger: Final = logging.getLogger("pgflow.worker")

# How many calls of the stack are shown, the innermost ones.
_DEEPEST: Final = 15
# How long a loop that is only late has for its answer, in seconds.
_GRACE: Final = 0.05
# Modules that call handlers: what they have called is what people want to see.
_OWN: Final = frozenset({"asyncio", "pgflow_worker"})


class Watchdog:
    """Asks the loop again and again to answer.

    Args:
        patience: Seconds that the loop may take, and between two questions.
        find: Gives the attempt that a task of the loop is.
    """

    def __init__(
        self, patience: float, find: Callable[[asyncio.Task[Any]], Attempt | None]
    ) -> None:
        self._patience: Final = patience
        self._find: Final = find
        self._ending: Final = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._loop_thread: int

    def start(self) -> None:
        """Watch the loop that this is called on."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        threading.Thread(target=self._run, name="pgflow-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._ending.set()

    def _run(self) -> None:
        while not self._ending.wait(self._patience):
            answered = threading.Event()
            asked_at = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(answered.set)
            except RuntimeError:
                # The loop is closed.
                return
            # Twice: a process that was stopped for a while finds its time over when it goes on.
            if not answered.wait(self._patience) and not answered.wait(_GRACE):
                self._tell(asked_at, answered)

    def _tell(self, asked_at: float, answered: threading.Event) -> None:
        """Tell of a loop that does not answer, ever more rarely, until it does."""
        pause = self._patience
        while True:
            task = asyncio.current_task(self._loop)
            frame = sys._current_frames().get(self._loop_thread)  # pyright: ignore[reportPrivateUsage]
            if answered.is_set():
                # What runs now need not be what has held it up.
                break
            seconds = time.monotonic() - asked_at
            attempt = self._attempt_of(task)
            logger.warning(
                "the event loop has been blocked for %.1f s by %s; meanwhile nothing else goes on "
                "but heartbeats. Await what takes long, or write the handler with plain `def`, so "
                "that it runs in a thread. It stands at\n%s",
                seconds,
                _named(attempt),
                _stack(frame),
                extra=about(attempt.row, blocked=round(seconds, 3)) if attempt else None,
            )
            pause *= 2
            if answered.wait(pause):
                break
        if not self._ending.is_set():
            logger.warning(
                "the event loop goes on after it was blocked for %.1f s",
                time.monotonic() - asked_at,
            )

    def _attempt_of(self, task: asyncio.Task[Any] | None) -> Attempt | None:
        if task is None:
            return None
        attempt = self._find(task)
        if attempt is None and sys.version_info >= (3, 12):
            # A task that a handler has made has its context variables.
            return task.get_context().get(current_attempt)
        return attempt


def _named(attempt: Attempt | None) -> str:
    if attempt is None:
        return "what is none of the handlers themselves, but may be a task or callback of one"
    row = attempt.row
    return (
        f"step {row.step_slug} of flow {row.flow_slug} in run {row.run_id}, task {row.task_index}, "
        f"attempt {row.attempt}"
    )


def _stack(frame: FrameType | None) -> str:
    """Put into words where a thread stands, from what the worker has called on."""
    frames = list(_frames(frame))
    below = [
        place
        for place, each in enumerate(frames)
        if str(each.f_globals.get("__name__")).partition(".")[0] in _OWN
    ]
    # Innermost first; where it stands in the worker's own code, that is what there is to see.
    shown = frames[: below[0] or _DEEPEST if below else _DEEPEST][:_DEEPEST]
    calls = ((each, each.f_lineno) for each in reversed(shown))
    return "".join(traceback.StackSummary.extract(calls).format()).rstrip()


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
