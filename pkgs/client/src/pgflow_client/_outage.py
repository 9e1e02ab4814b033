"""Telling of times without a database: once when one begins, and once when it is over."""

import logging
import time
from typing import Final

import psycopg

logger: Final = logging.getLogger("pgflow.worker")


class Outage:
    """What the connections of one program know together of whether the database answers.

    A program has several, and asks again and again: one line for each failure would be hundreds.
    """

    def __init__(self) -> None:
        self._began_at: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether the last that was heard is a failure."""
        return self._began_at is not None

    def failed(self, error: psycopg.Error) -> None:
        """Note that a call found no answer."""
        if self._began_at is None:
            self._began_at = time.monotonic()
            logger.warning(
                "the database does not answer, and is asked again until it does: %s", brief(error)
            )
        else:
            logger.debug("the database still does not answer: %s", brief(error))

    def answered(self) -> None:
        """Note that a call was answered."""
        if self._began_at is not None:
            seconds, self._began_at = time.monotonic() - self._began_at, None
            logger.info("the database answers again, after %.1f s", seconds)


def brief(error: BaseException) -> str:
    """Return what an error says first, without the lines for those who write SQL."""
    said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return said or (str(error).splitlines() or [type(error).__name__])[0]
