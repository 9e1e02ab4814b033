"""Waiting for what another process does, without sleeping for luck."""

import inspect
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest

T = TypeVar("T")

POLL = 0.01


def until(
    predicate: Callable[[], T],
    within: timedelta = timedelta(seconds=10),
    *,
    what: str | None = None,
) -> T:
    """Wait until a condition holds, or fail the test.

    Args:
        predicate: Asked again and again; what it raises ends the test.
        within: How long to wait at most.
        what: The condition in words, for the failure; None to show the predicate's source.

    Returns:
        The first true value of the predicate.
    """
    end = time.monotonic() + within.total_seconds()
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            waited = f"within {within.total_seconds():g} s"
            pytest.fail(f"this did not hold {waited}: {what or _source(predicate)} (was {value!r})")
        time.sleep(POLL)


def _source(predicate: Callable[[], object]) -> str:
    try:
        return inspect.getsource(predicate).strip()
    except (OSError, TypeError):
        return repr(predicate)
