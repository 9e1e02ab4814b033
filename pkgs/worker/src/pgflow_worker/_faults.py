"""What is told of a failed attempt."""

import math
import traceback
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from pgflow_dsl.errors import DataInvalid, FinalError, RetryAfter

from pgflow_worker.errors import LoopCancelled

# As many characters as the database keeps of a message and of a traceback.
_LONGEST: Final = 10_000
_LARGEST_INT: Final = 2**31 - 1
_OWN_PACKAGE: Final = __name__.partition(".")[0]


class HandlerTimeout(Exception):
    """An attempt took longer than its step allows."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the attempt took longer than its timeout of {seconds:g} s")


class ProcessLost(Exception):
    """The process that ran a handler ended in the middle of it, or did not get to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A failed attempt in words; it passes between processes whatever the exception holds.

    Attributes:
        message: Type and text of the exception.
        error_type: The type.
        traceback: Where it came from; None where that says nothing about the handler.
        is_final: Whether trying again cannot help.
        retry_delay: Seconds until the next attempt; None leaves it to the step's backoff.
    """

    message: str
    error_type: str
    traceback: str | None
    is_final: bool
    retry_delay: int | None


def describe(error: BaseException) -> Fault:
    """Put an exception into words. Exceptions that cannot be printed are no reason to fail."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception as unprintable:
        text = f"its text cannot be had, which raised {type(unprintable).__name__}"
    delay = None
    if isinstance(error, RetryAfter):
        delay = min(math.ceil(error.delay.total_seconds()), _LARGEST_INT)
    is_data = isinstance(error, DataInvalid)
    is_own = is_data or isinstance(error, HandlerTimeout | ProcessLost | LoopCancelled)
    return Fault(
        message=_storable(f"{name}: {text}" if text else name)[:_LONGEST],
        error_type=name,
        traceback=None if is_own else _traceback(error),
        is_final=is_data or isinstance(error, FinalError),
        retry_delay=delay,
    )


def _traceback(error: BaseException) -> str | None:
    try:
        lines = traceback.format_exception(type(error), error, _below_own_frames(error))
    except Exception:
        return None
    return _storable("".join(lines))[-_LONGEST:]


def _below_own_frames(error: BaseException) -> TracebackType | None:
    """Return the part of the traceback that the handler's author wrote."""
    place = error.__traceback__
    while place and _is_own(place.tb_frame.f_globals.get("__name__")):
        place = place.tb_next
    return place or error.__traceback__


def _is_own(module: object) -> bool:
    return isinstance(module, str) and module.partition(".")[0] == _OWN_PACKAGE


def _storable(text: str) -> str:
    """Write out what a text of Postgres cannot hold: it would stop the whole batch."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()
