"""The end of the process, which nothing that is left over may hold up."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress
from typing import Final, NoReturn

__all__ = ["leave", "leave_without_waiting"]

# How long child processes get to end by themselves, in seconds.
_PATIENCE: Final = 1.0

_must_not_wait = threading.Event()


def leave_without_waiting() -> None:
    """Have the process end without waiting for code that will not: say so before `leave`."""
    _must_not_wait.set()


def leave(code: int) -> NoReturn:
    """End the process.

    The interpreter waits at its end for every thread, and a handler that was abandoned at its
    timeout may run for hours in one. Where there is such a thread, the process ends without it.

    Args:
        code: The exit code.
    """
    main = threading.main_thread()
    lingering = [each for each in threading.enumerate() if each is not main and not each.daemon]
    if not lingering and not _must_not_wait.is_set():
        sys.exit(code)
    _end_children()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _end_children() -> None:
    """End processes for handlers, which would outlive this one and wait for work for ever."""
    if "multiprocessing" not in sys.modules:
        return
    from multiprocessing import active_children

    children = active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(_PATIENCE)
        if child.is_alive():
            child.kill()
