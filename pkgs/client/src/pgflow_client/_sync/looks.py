# Made by tools/make_sync.py from _async/looks.py: edit that file, then run the tool.
# ruff: noqa: SIM117, UP028, RUF100 (what stood apart to be async need not stand apart here)
"""Looking at one run again and again, each time that it may have changed, until it has ended."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, TypeVar

from pgflow_client._functions.runs import get_run_progress
from pgflow_client.errors import DatabaseUnreachable, RunNotFound, WaitTimeout

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from pgflow_client._functions.call import Call
    from pgflow_client._sync.database import Database
    from pgflow_client._sync.watcher import Watch
    from pgflow_client.progress import RunProgress

__all__ = ["Looks", "look_at"]

T = TypeVar("T")

logger = logging.getLogger("pgflow.client")

_FOR_EVER: Final = float("inf")


def look_at(database: Database, run_id: UUID) -> RunProgress:
    """Return how far a run has come.

    Raises:
        RunNotFound: There is no such run.
    """
    return _existing(database.call(get_run_progress(run_id)), run_id)


class Looks:
    """The looks of one caller at one run."""

    def __init__(
        self, database: Database, watch: Watch, flow_slug: str, timeout: timedelta | None = None
    ) -> None:
        self._database = database
        self._flow_slug = flow_slug
        self._watch = watch
        self._timeout = timeout
        seconds = _FOR_EVER if timeout is None else timeout.total_seconds()
        self._deadline = time.monotonic() + seconds
        self._has_looked = False

    def take(self) -> RunProgress:
        """Return the next look: the first at once, each further one when there may be news.

        Raises:
            RunNotFound: There is no such run.
            WaitTimeout: The time is up, and the run had not ended when it was last looked at.
            DatabaseUnreachable: The database cannot be reached over the caller's connection.
        """
        if self._has_looked:
            self.pause()
        self._has_looked = True
        return self.look()

    def look(self) -> RunProgress:
        """Return how far the run has come now.

        Raises:
            RunNotFound: There is no such run.
            WaitTimeout: The time is up, and the database could not be reached.
            DatabaseUnreachable: The database cannot be reached over the caller's connection.
        """
        run_id = self._watch.run_id
        return _existing(self.ask(get_run_progress(run_id)), run_id)

    def ask(self, call: Call[T]) -> T:
        """Run a call that only reads, for as long as it takes to reach the database.

        Raises:
            PgflowError: The database refused.
            WaitTimeout: The time is up, and the database could not be reached.
            DatabaseUnreachable: The database cannot be reached over the caller's connection.
        """
        while True:
            try:
                return self._database.call(call)
            except DatabaseUnreachable as error:
                # Whoever has a handle has reached the database before, so it will be back.
                if not self._database.can_reconnect:
                    raise
                logger.info("looking at run %s again soon: %s", self._watch.run_id, error)
                self.pause()

    def pause(self, longest: float = _FOR_EVER) -> bool:
        """Wait until there may be news, and return whether that is so.

        Args:
            longest: At most so many seconds.

        Raises:
            WaitTimeout: The time is up.
        """
        left = self._deadline - time.monotonic()
        if left <= 0 and self._timeout is not None:
            raise WaitTimeout(self._watch.run_id, self._flow_slug, self._timeout)
        return self._watch.until_next_look(min(left, longest))


def _existing(progress: RunProgress | None, run_id: UUID) -> RunProgress:
    if progress is None:
        hint = "it was never committed, or has been deleted"
        raise RunNotFound(f"run {run_id} does not exist", hint, f"run_id={run_id}")
    return progress
