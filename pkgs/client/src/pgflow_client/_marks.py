"""Knows which runs a client has marked as watched, and when to ask the database about them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from pgflow_client._pace import Backoff

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from pgflow_client._functions.runs import Versions

__all__ = ["LIFETIME", "RENEWAL", "Marks"]

# Seconds. A client that dies leaves marks behind, which make for a few notifications too many.
LIFETIME: Final = 60
RENEWAL: Final = 20.0
# Where notifications do not arrive: how late a change is seen at most after a quiet time.
_LONGEST_UNHEARD: Final = 2.0
# Times as long as the last answer took: asking may keep no connection busy.
_REST: Final = 10


class Marks:
    """The marks of one listening connection, or, through a pooler, what takes their place.

    A transaction that is under way when a run is marked may commit a change without a word. Until
    all of these have ended the run is unsettled, and asked about at growing intervals. From then
    on every change is notified, and the question that comes with each renewal is for safety only.

    Attributes:
        run_ids: The runs that are marked.
        ends_only: Those of them of which only the end is notified.
    """

    def __init__(self, *, is_heard: bool) -> None:
        """Begin without marks.

        Args:
            is_heard: Whether notifications arrive. If not, no run is ever settled, and there are
                no marks to renew.
        """
        self.run_ids: set[UUID] = set()
        self.ends_only: set[UUID] = set()
        self._is_heard = is_heard
        self._fresh: set[UUID] = set()
        # For each run what has to be reached for it to be settled.
        self._unsettled: dict[UUID, int] = {}
        self._versions: dict[UUID, str | None] = {}
        self._backoff = Backoff(longest=RENEWAL if is_heard else _LONGEST_UNHEARD)
        self._asked_at = 0.0
        self._took = 0.0
        self._ask_at = float("inf")
        self._renew_at = float("inf")

    def add(self, run_ids: Collection[UUID], *, ends_only: bool) -> None:
        """Take in runs that have just been marked, or marked for more than their ends."""
        if not self.run_ids and self._is_heard:
            self._renew_at = time.monotonic() + RENEWAL
        self.run_ids.update(run_ids)
        self._fresh.update(run_ids)
        if ends_only:
            self.ends_only.update(run_ids)
        else:
            self.ends_only.difference_update(run_ids)

    def discard(self, run_ids: Collection[UUID]) -> None:
        """Forget runs whose marks have gone."""
        self.run_ids.difference_update(run_ids)
        self.ends_only.difference_update(run_ids)
        self._fresh.difference_update(run_ids)
        for run_id in run_ids:
            self._versions.pop(run_id, None)
            self._unsettled.pop(run_id, None)

    @property
    def is_first(self) -> bool:
        """Whether the next answer has to tell when some of the runs are settled."""
        return self._is_heard and bool(self._fresh)

    def take_renewal(self) -> bool:
        """Return whether the marks have to be renewed now."""
        now = time.monotonic()
        if not self.run_ids or now < self._renew_at:
            return False
        self._renew_at = now + RENEWAL
        return True

    def due(self, *, is_renewal: bool) -> set[UUID]:
        """Return the runs to ask about now.

        Args:
            is_renewal: Whether the marks have just been renewed.
        """
        self._asked_at = time.monotonic()
        if is_renewal:
            return set(self.run_ids)
        return self._fresh.union(self._unsettled if self._asked_at >= self._ask_at else ())

    def learn(self, asked: set[UUID], answer: Versions) -> set[UUID]:
        """Take in an answer, and return the runs to look at: changed ones, and those that are new.

        Args:
            asked: The runs that were asked about.
            answer: What the database said of them.
        """
        versions = {run_id: answer.by_run.get(run_id) for run_id in asked}
        changed = {
            run_id
            for run_id, version in versions.items()
            if run_id in self._fresh or self._versions[run_id] != version
        }
        self._versions.update(versions)
        self._took = time.monotonic() - self._asked_at
        was_due = self._asked_at >= self._ask_at
        if self._is_heard:
            for run_id in [
                each for each, mark in self._unsettled.items() if answer.oldest_xid >= mark
            ]:
                del self._unsettled[run_id]
        if self._fresh or (changed and not self._is_heard):
            self._backoff.restart()
            was_due = True
        self._unsettled.update(dict.fromkeys(self._fresh & asked, answer.horizon or 0))
        self._fresh -= asked
        if was_due:
            delay = max(self._backoff.next_delay(), _REST * self._took)
            self._ask_at = time.monotonic() + delay
        return changed

    def seconds_left(self) -> float:
        """Return how long there is nothing to do."""
        if self._fresh:
            return 0.0
        ask_at = self._ask_at if self._unsettled else float("inf")
        return max(0.0, min(ask_at, self._renew_at) - time.monotonic())
