"""When to look at a run again."""

from __future__ import annotations

import random
import time
from typing import Final

__all__ = ["Backoff", "Pace"]

# Seconds. The first looks come soon, because a transaction that is under way when a run is marked
# as watched commits without a word; the later ones are the truth where notifications are lost.
_FIRST: Final = 0.005
_LONGEST: Final = 2.0

# A look costs the database a few hundred microseconds. Bursts of changes are followed one by one,
# long streams of them are sampled.
_BURST: Final = 20
_PER_SECOND: Final = 100.0


class Backoff:
    """Delays that double, each with a random part so that many clients do not act as one."""

    def __init__(self, first: float = _FIRST, longest: float = _LONGEST) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next_delay(self) -> float:
        """Return the next delay in seconds, between half of its length and all of it."""
        delay = self._next
        self._next = min(delay * 2, self._longest)
        return delay * random.uniform(0.5, 1)

    def restart(self) -> None:
        """Have the delays grow from the first one again."""
        self._next = self._first


class Pace(Backoff):
    """Delays between looks that nothing prompts, and a limit for those that something does."""

    def __init__(self) -> None:
        super().__init__()
        self._credit = float(_BURST)
        self._credited_at = time.monotonic()

    def take_gap(self) -> float:
        """Return how many seconds a prompted look has to be put off; most often 0."""
        now = time.monotonic()
        earned = (now - self._credited_at) * _PER_SECOND
        self._credit = min(self._credit + earned, float(_BURST)) - 1
        self._credited_at = now
        return max(0.0, -self._credit / _PER_SECOND)
