"""Looking at one run again and again, each time that it may have changed, until it has ended."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from pgflow_client._functions.runs import get_run_progress
from pgflow_client.errors import DatabaseUnreachable, RunNotFound, WaitTimeout

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from pgflow_client._async.database import Database
    from pgflow_client._async.watcher import Watch
    from pgflow_client.progress import RunProgress

__all__ = ["Looks", "look_at"]

logger = logging.getLogger("pgflow.client")


async def look_at(database: Database, run_id: UUID) -> RunProgress:
    """Return how far a run has come.

    Raises:
        RunNotFound: There is no such run.
    """
    progress = await database.call(get_run_progress(run_id))
    if progress is None:
        hint = "it was never committed, or has been deleted"
        raise RunNotFound(f"run {run_id} does not exist", hint, f"run_id={run_id}")
    return progress


class Looks:
    """The looks of one caller at one run."""

    def __init__(
        self, database: Database, watch: Watch, flow_slug: str, timeout: timedelta | None
    ) -> None:
        self._database = database
        self._flow_slug = flow_slug
        self._watch = watch
        self._timeout = timeout
        seconds = float("inf") if timeout is None else timeout.total_seconds()
        self._deadline = time.monotonic() + seconds
        self._has_looked = False

    async def take(self) -> RunProgress:
        """Return the next look: the first at once, each further one when there may be news.

        Raises:
            RunNotFound: There is no such run.
            WaitTimeout: The time is up, and the run had not ended when it was last looked at.
            DatabaseUnreachable: The database cannot be reached over the caller's connection.
        """
        if self._has_looked:
            await self._pause()
        while True:
            try:
                progress = await look_at(self._database, self._watch.run_id)
            except DatabaseUnreachable as error:
                # Whoever has a handle has reached the database before, so it will be back.
                if not self._database.can_reconnect:
                    raise
                logger.info("looking at run %s again soon: %s", self._watch.run_id, error)
                await self._pause()
            else:
                self._has_looked = True
                return progress

    async def _pause(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0 and self._timeout is not None:
            raise WaitTimeout(self._watch.run_id, self._flow_slug, self._timeout)
        await self._watch.until_next_look(left)
