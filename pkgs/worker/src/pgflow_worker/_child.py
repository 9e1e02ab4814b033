"""What happens in a process for handlers, and what passes between it and its worker.

The worker first sends a step, for whose module the process gets ready, and then one task at a time.
The process answers with messages, each of which begins with
what it is about: that the handler has begun, wants the flow's input, emits, or how it ended.
"""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Final

from pgflow_dsl import AttemptCancelled, Flow

from pgflow_worker._faults import Fault, describe
from pgflow_worker._perform import Work, perform
from pgflow_worker._surroundings import Elsewhere

_PREPARE: Final = b"p"
_READY: Final = b"r"
_BEGUN: Final = b"b"
_INPUT_WANTED: Final = b"i"
_EMITTED: Final = b"e"
_OUTCOME: Final = b"o"


def prepare(pipe: Connection, step: bytes) -> None:
    """Have a new process import what a step needs, and wait until it has.

    Args:
        pipe: The worker's end.
        step: The pickled step.

    Raises:
        EOFError: The process ended; so does OSError.
    """
    pipe.send_bytes(_PREPARE)
    pipe.send_bytes(step)
    pipe.recv_bytes()


def converse(
    pipe: Connection,
    data: bytes,
    on_begin: Callable[[], object],
    read_input: Callable[[], str],
    emit: Callable[[str], None],
) -> str | Fault:
    """Have a process run a handler, and give it what it asks for until it is done.

    Args:
        pipe: The worker's end.
        data: The pickled work.
        on_begin: Called when the handler begins.
        read_input: Called when the handler wants the flow's input.
        emit: Called with each item that the handler emits.

    Raises:
        EOFError: The process ended; so does OSError.
        BaseException: Whatever `emit` raises. The process is of no more use.
    """
    pipe.send_bytes(data)
    while (about := pipe.recv_bytes()) != _OUTCOME:
        if about == _BEGUN:
            on_begin()
        elif about == _EMITTED:
            emit(pipe.recv_bytes().decode())
        else:
            pipe.send_bytes(pickle.dumps(_answer(read_input)))
    outcome: str | Fault = pickle.loads(pipe.recv_bytes())
    return outcome


def serve_handlers(pipe: Connection) -> None:
    """Run handlers until nobody asks any more; the main function of the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # They often go to all processes at once, and the parent decides what they mean. Not
        # ignored: programs that a handler starts would inherit that.
        signal.signal(number, _pass_over)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            data = pipe.recv_bytes()
            if data == _PREPARE:
                # What is wrong with it is told when it is to run.
                with suppress(BaseException):
                    pickle.loads(pipe.recv_bytes())
                pipe.send_bytes(_READY)
                continue
        except (EOFError, OSError):
            return
        outcome = pickle.dumps(_outcome(data, pipe))
        pipe.send_bytes(_OUTCOME)
        pipe.send_bytes(outcome)


class _BehindPipe(Elsewhere):
    """The surroundings of an attempt in such a process, which asks the worker for more.

    Args:
        flow: The flow of the task.
        pipe: The process's end.
    """

    def __init__(self, flow: Flow[Any], pipe: Connection) -> None:
        super().__init__(flow, None)
        self._pipe: Final = pipe
        self._turn: Final = threading.Lock()
        self._text: str | None = None
        self._is_over = False

    def read_input_text(self) -> str:
        """Return the flow's input as JSON text, which the worker reads."""
        with self._turn:
            if self._text is None:
                if self._is_over:
                    self.refuse("flow_input()", "the handler has returned")
                self._pipe.send_bytes(_INPUT_WANTED)
                self._text, problem = pickle.loads(self._pipe.recv_bytes())
                if self._text is None:
                    self.refuse("flow_input()", problem)
            return self._text

    def emit(self, text: str) -> None:
        """Have the worker take an item; where it has no room, the pipe fills up, which blocks."""
        with self._turn:
            if self._is_over:
                raise AttemptCancelled("the handler has returned")
            self._pipe.send_bytes(_EMITTED)
            self._pipe.send_bytes(text.encode())

    def end(self) -> None:
        """Have nothing more asked: threads of the handler may go on after it."""
        with self._turn:
            self._is_over = True


def _outcome(data: bytes, pipe: Connection) -> str | Fault:
    try:
        work: Work = pickle.loads(data)
        surroundings = _BehindPipe(work.step.flow, pipe)
        pipe.send_bytes(_BEGUN)
        try:
            return perform(replace(work, surroundings=surroundings))
        finally:
            surroundings.end()
    # SystemExit too: a handler may not end the process.
    except BaseException as error:
        return describe(error)


def _answer(read_input: Callable[[], str]) -> tuple[str | None, str]:
    try:
        return read_input(), ""
    except Exception as error:
        return None, f"it could not be read: {error}"


def _pass_over(number: int, frame: FrameType | None) -> None:
    """Do nothing about a signal."""


def _end_with_parent() -> None:
    """A parent that was killed cannot end its children; a handler goes on for nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
