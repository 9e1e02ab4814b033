"""Which database it is that has a problem, where there are several."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pgflow_client.errors import DatabaseProblem, DatabaseUnreachable, translate_errors

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Place", "Telling"]


class Telling:
    """What is known of a call whose problems are told.

    Attributes:
        was_reached: Whether it had a connection, so that something may have been sent.
    """

    was_reached: bool = False


class Place:
    """A database as its problems are told.

    Attributes:
        shard: Its name; None where it is the only database.
        failed_at: By the monotonic clock, when it could not be reached; None if it could be last.
    """

    shard: str | None = None
    failed_at: float | None = None

    @contextmanager
    def telling(self) -> Generator[Telling, None, None]:
        """Raise pgflow's errors in place of the driver's, and tell which database they are of."""
        told = Telling()
        try:
            with translate_errors():
                yield told
        except DatabaseProblem as error:
            error.shard = self.shard
            if isinstance(error, DatabaseUnreachable):
                error.was_reached = told.was_reached
                self.failed_at = time.monotonic()
            raise
        self.failed_at = None
