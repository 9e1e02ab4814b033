# Made by tools/make_sync.py from _async/looks.py: edit that file, then run the tool.
# ruff: noqa: SIM117, UP028, RUF100 (what stood apart to be async need not stand apart here)
"""Looking at one run again and again, each time that it may have changed."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, TypeVar

from pgflow_client._functions.runs import (
    get_run_failure,
    get_run_progress,
    get_run_reopenings,
)
from pgflow_client._start_options import check_duration
from pgflow_client.errors import (
    DatabaseUnreachable,
    RunCancelled,
    RunFailed,
    RunNotFound,
    WaitTimeout,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import timedelta
    from uuid import UUID

    from pgflow_client._follow import Follower
    from pgflow_client._functions.call import Call
    from pgflow_client._sync.database import Database
    from pgflow_client._sync.hub import Hub
    from pgflow_client._sync.watcher import Watch
    from pgflow_client.events import Event
    from pgflow_client.progress import RunProgress

__all__ = ["Looks", "follow", "look_at", "outlast", "raise_end"]

T = TypeVar("T")

logger = logging.getLogger("pgflow.client")

_FOR_EVER: Final = float("inf")


def look_at(database: Database, run_id: UUID) -> RunProgress:
    """Return how far a run has come.

    Raises:
        RunNotFound: There is no such run.
    """
    return _existing(database.call(get_run_progress(run_id)), run_id)


def outlast(
    hub: Hub,
    run_id: UUID,
    flow_slug: str,
    timeout: timedelta | None,
) -> None:
    """Return when the database answers: an outage can begin right after what was waited for.

    Raises:
        WaitTimeout: The time is up.
        DatabaseUnreachable: The database cannot be reached over the caller's connection.
    """
    with hub.watch(run_id, ends_only=True) as watch:
        Looks(hub.database, watch, flow_slug, timeout).look()


def follow(
    looks: Looks, follower: Follower, saw: Callable[[RunProgress], object]
) -> Generator[Event, None, None]:
    """Yield the events of a run, as `run.events` tells it, until the watch is stopped.

    Args:
        looks: Looks at the run, none of which has been taken.
        follower: What has been told of the run before.
        saw: Called with each look.
    """
    while not follower.is_done or not looks.has_looked:
        progress = looks.take()
        saw(progress)
        reopenings = []
        if progress.reopened_count > follower.reopened_count:
            call = get_run_reopenings(progress.run_id, follower.reopened_count)
            reopenings = looks.ask(call)
        for event in follower.follow(progress, reopenings):
            if looks.watch.is_stopped:
                return
            yield event
        if looks.watch.is_stopped:
            return


def raise_end(database: Database, progress: RunProgress) -> None:
    """Raise what tells how a run has ended, unless it has completed.

    Raises:
        RunFailed: It failed.
        RunCancelled: It was cancelled.
    """
    if progress.status == "cancelled":
        raise RunCancelled(progress.run_id, progress.flow_slug, progress.error_message)
    if progress.status != "failed":
        return
    try:
        failure = database.call(get_run_failure(progress.run_id))
    except DatabaseUnreachable as error:
        logger.info("run %s failed, and more is not known now: %s", progress.run_id, error)
        failure = None
    if failure is None:
        raise RunFailed(
            progress.run_id,
            progress.flow_slug,
            progress.failed_step_slug,
            progress.error_message,
        )
    raise RunFailed(
        progress.run_id,
        progress.flow_slug,
        failure.step_slug,
        failure.error_message,
        failure.task_index,
        failure.attempt,
        failure.error_type,
        failure.traceback,
    )


class Looks:
    """The looks of one caller at one run.

    Attributes:
        database: Where the run is.
        watch: Says when to look.
        has_looked: Whether a look has been taken.
    """

    def __init__(
        self, database: Database, watch: Watch, flow_slug: str, timeout: timedelta | None = None
    ) -> None:
        self.database = database
        self._flow_slug = flow_slug
        self.watch = watch
        self._timeout = check_duration("timeout", timeout)
        seconds = _FOR_EVER if timeout is None else timeout.total_seconds()
        self._deadline = time.monotonic() + seconds
        self.has_looked = False

    def take(self) -> RunProgress:
        """Return the next look: the first at once, each further one when there may be news.

        Raises:
            RunNotFound: There is no such run.
            WaitTimeout: The time is up, and the run had not ended when it was last looked at.
            DatabaseUnreachable: The database cannot be reached over the caller's connection.
        """
        if self.has_looked:
            self.pause()
        self.has_looked = True
        return self.look()

    def look(self) -> RunProgress:
        """Return how far the run has come now.

        Raises:
            RunNotFound: There is no such run.
            WaitTimeout: The time is up, and the database could not be reached.
            DatabaseUnreachable: The database cannot be reached over the caller's connection.
        """
        run_id = self.watch.run_id
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
                return self.database.call(call)
            except DatabaseUnreachable as error:
                # Whoever has a handle has reached the database before, so it will be back.
                if not self.database.can_reconnect or self.watch.is_stopped:
                    raise
                logger.info("looking at run %s again soon: %s", self.watch.run_id, error)
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
            raise WaitTimeout(self.watch.run_id, self._flow_slug, self._timeout)
        return self.watch.until_next_look(min(left, longest))

    def take_until(
        self, is_over: Callable[[RunProgress], bool], saw: Callable[[RunProgress], object]
    ) -> RunProgress:
        """Return the first look that shows what is waited for, or that the run has ended.

        Args:
            is_over: Whether a look shows it.
            saw: Called with each look.

        Raises:
            PgflowError: As `take`.
        """
        while True:
            progress = self.take()
            saw(progress)
            if progress.is_ended or is_over(progress):
                return progress


def _existing(progress: RunProgress | None, run_id: UUID) -> RunProgress:
    if progress is None:
        hint = "it was never committed, or has been deleted"
        raise RunNotFound(f"run {run_id} does not exist", hint, f"run_id={run_id}")
    return progress
