"""Results of attempts on their way to the database."""

import asyncio
from dataclasses import replace
from typing import Final

from pgflow_client.worker_protocol import Failure, Reports, TaskRow


class Outbox:
    """Collects results until a lane takes them."""

    def __init__(self) -> None:
        self._completed: list[TaskRow] = []
        self._outputs: list[str] = []
        self._failures: list[Failure] = []
        self.filled: Final = asyncio.Event()

    def __len__(self) -> int:
        return len(self._completed) + len(self._failures)

    def add_output(self, row: TaskRow, output: str) -> None:
        """Add what an attempt returned, as JSON text."""
        self._completed.append(row)
        self._outputs.append(output)
        self.filled.set()

    def add_failure(self, failure: Failure) -> None:
        """Add the failure of an attempt."""
        self._failures.append(
            replace(
                failure,
                message=_storable(failure.message),
                traceback=failure.traceback and _storable(failure.traceback),
            )
        )
        self.filled.set()

    def take(self) -> Reports:
        """Return all that has collected; the outbox is empty then."""
        reports = Reports(completed=self._completed, outputs=self._outputs, failures=self._failures)
        self._completed, self._outputs, self._failures = [], [], []
        self.filled.clear()
        return reports


def _storable(text: str) -> str:
    """Write out what a text of Postgres cannot hold: it would stop the whole batch."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()
