"""Tracebacks of handlers in the log: each failure's own, and of many alike the first."""

import logging
import time
from collections.abc import Mapping
from typing import Final

from pgflow_client.worker_protocol import TaskRow

logger: Final = logging.getLogger("pgflow.worker")

# Seconds after which a traceback that comes again is shown again.
_FRESH: Final = 60.0
# How many are remembered.
_MOST: Final = 1000
_SEEN: Final = " (its traceback is like that of an earlier attempt above)"


class Tracebacks:
    """Writes records with tracebacks, and does not repeat one that the log has shown just now.

    Attempts that have failed at one place, whatever their values, have one traceback.
    """

    def __init__(self) -> None:
        self._shown_at: Final[dict[tuple[str | None, ...], float]] = {}

    def log(
        self,
        level: int,
        message: str,
        arguments: tuple[object, ...],
        *,
        row: TaskRow,
        traceback: str | None,
        extra: Mapping[str, object],
    ) -> None:
        """Log.

        Args:
            level: How much it matters.
            message: What is told.
            arguments: What stands in it.
            row: The attempt that has failed.
            traceback: Its traceback, which is text already: it may come from another process.
            extra: What it is about.
        """
        if not logger.isEnabledFor(level):
            return
        if traceback is not None and not self._is_news(row, traceback):
            traceback, message = None, message + _SEEN
        record = logger.makeRecord(
            logger.name, level, __file__, 0, message, arguments, None, extra=extra
        )
        # Where formatters keep and look for an exception that is text already.
        record.exc_text = traceback and traceback.rstrip()
        logger.handle(record)

    def _is_news(self, row: TaskRow, traceback: str) -> bool:
        places = [line for line in traceback.splitlines() if line.lstrip(" |").startswith("File ")]
        key = (row.flow_slug, row.step_slug, *places)
        now = time.monotonic()
        is_news = now - self._shown_at.get(key, -_FRESH) >= _FRESH
        if is_news or logger.isEnabledFor(logging.DEBUG):
            # The oldest is the first.
            self._shown_at.pop(key, None)
            self._shown_at[key] = now
            while len(self._shown_at) > _MOST:
                del self._shown_at[next(iter(self._shown_at))]
            return True
        return False
