"""Results of attempts on their way to the database."""

import asyncio
from typing import Final

from pgflow_client.worker_protocol import Failure, Reports, TaskRow

# Characters of outputs in one report. The server drops whoever sends it a message of 1 GB.
_LARGEST_REPORT: Final = 64 * 2**20
# Bytes of one value that PostgreSQL can take as jsonb.
_LARGEST_OUTPUT: Final = 2**28 - 1
_MOST_BYTES_A_CHARACTER: Final = 4


class Outbox:
    """Collects results until a lane takes them.

    Args:
        most: Outputs that one lane takes at a time, 1 or more; the rest is for the next lane. Where
            one took all that a worker can hold, it would leave the others nothing to overlap with.
    """

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._completed: list[TaskRow] = []
        self._outputs: list[str] = []
        self._failures: list[Failure] = []
        self._size = 0
        self.filled: Final = asyncio.Event()

    def __len__(self) -> int:
        return len(self._completed) + len(self._failures)

    def add_output(self, row: TaskRow, output: str) -> None:
        """Add what an attempt returned, as JSON text; what no jsonb can hold is a failure."""
        size = len(output)
        if size * _MOST_BYTES_A_CHARACTER > _LARGEST_OUTPUT:
            # Known of a text without a look at it; to encode one of this size holds up the loop.
            size = size if output.isascii() else len(output.encode())
            if size > _LARGEST_OUTPUT:
                told = f"the output has {size:,} bytes of JSON, and jsonb holds {_LARGEST_OUTPUT:,}"
                self.add_failure(Failure(row=row, message=told, is_final=True))
                return
        self._completed.append(row)
        self._outputs.append(output)
        self._size += size
        self.filled.set()

    def add_failure(self, failure: Failure) -> None:
        """Add the failure of an attempt."""
        self._failures.append(failure)
        self.filled.set()

    def take(self) -> Reports:
        """Return what has collected, or a lane's share of it; something if there is any."""
        count = min(len(self._completed), self._most)
        if self._size > _LARGEST_REPORT:
            count = min(count, self._few_enough())
        reports = Reports(
            completed=self._completed[:count],
            outputs=self._outputs[:count],
            failures=self._failures,
        )
        self._completed, self._outputs = self._completed[count:], self._outputs[count:]
        self._failures = []
        self._size = sum(map(len, self._outputs))
        if not self._outputs:
            self.filled.clear()
        return reports

    def put_back(self, reports: Reports) -> None:
        """Add what was taken and could not be reported."""
        for row, output in zip(reports.completed, reports.outputs, strict=True):
            self.add_output(row, output)
        for failure in reports.failures:
            self.add_failure(failure)

    def _few_enough(self) -> int:
        """Count the outputs at the head that fit into one report, at least one."""
        size = 0
        for count, output in enumerate(self._outputs):
            size += len(output)
            if size > _LARGEST_REPORT:
                return max(count, 1)
        return len(self._outputs)
