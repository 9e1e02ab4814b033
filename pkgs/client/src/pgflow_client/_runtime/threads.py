"""Waiting and running beside each other, in threads."""

from __future__ import annotations

import selectors
import socket as sockets
import threading
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

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

Semaphore = threading.Semaphore
Worker = threading.Thread
sleep = time.sleep
# Threads are not cancelled.
heed_cancellation = nullcontext


class Flag:
    """A flag that one waits for and others raise."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Raise the flag."""
        self._event.set()

    def take(self, seconds: float) -> bool:
        """Wait for the flag at most so long, lower it, and return whether it was up."""
        was_up = self._event.wait(seconds)
        if was_up:
            self._event.clear()
        return was_up


class Bell:
    """Ends a wait early: rung by others, or by data on a socket."""

    def __init__(self) -> None:
        self._hammer, self._gong = sockets.socketpair()
        self._hammer.setblocking(False)
        self._gong.setblocking(False)

    def ring(self) -> None:
        """End the wait, or the next one where nobody waits."""
        try:
            self._hammer.send(b"!")
        except BlockingIOError:
            # It has been rung so often that one more makes no difference.
            return

    def wait(self, socket: int | None, seconds: float) -> bool:
        """Wait for a ring or for data, and return whether there was one.

        Args:
            socket: File descriptor of the socket; None waits for rings alone.
            seconds: Longest wait.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._gong, selectors.EVENT_READ)
            if socket is not None:
                selector.register(socket, selectors.EVENT_READ)
            ready = selector.select(seconds)
        if any(key.fileobj is self._gong for key, _ in ready):
            self._gong.recv(4096)
        return bool(ready)

    def close(self) -> None:
        """Free what it holds."""
        self._hammer.close()
        self._gong.close()


def spawn(function: Callable[[], None], name: str) -> Worker:
    """Run a function beside the caller."""
    # A daemon: a client that nobody closed must not keep the program from ending.
    worker = Worker(target=function, name=name, daemon=True)
    worker.start()
    return worker


def stop(worker: Worker) -> None:
    """Threads end by themselves, when what they wait for is stopped."""


def is_current(worker: Worker) -> bool:
    """Return whether it is the spawned function that asks."""
    return threading.current_thread() is worker


def deliver(callback: Callable[[T], object], value: T) -> None:
    """Call a function."""
    callback(value)


def join(worker: Worker) -> None:
    """Wait until a spawned function has returned."""
    worker.join()


def resolve(given: T | Callable[[], T]) -> T:
    """Return a value that may have been given as a function."""
    made: Any = given() if callable(given) else given
    return cast("T", made)
