"""Which database it is that has a problem, where there are several."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pgflow_client.errors import DatabaseProblem, DatabaseUnreachable, translate_errors

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Place"]


class Place:
    """A database as its problems are told.

    Attributes:
        shard: Its name; None where it is the only database.
        failed_at: By the monotonic clock, when it could not be reached; None if it could be last.
    """

    shard: str | None = None
    failed_at: float | None = None

    @contextmanager
    def telling(self) -> Generator[None, None, None]:
        """Raise pgflow's errors in place of the driver's, and tell which database they are of."""
        try:
            with translate_errors():
                yield
        except DatabaseProblem as error:
            error.shard = self.shard
            if isinstance(error, DatabaseUnreachable):
                self.failed_at = time.monotonic()
            raise
        self.failed_at = None
