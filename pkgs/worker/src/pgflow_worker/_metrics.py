"""What is counted about a worker and its queue."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from pgflow_client.worker_protocol import AlertFigures, DepthRow, TaskRow

_OF_STEP: Final = ("flow_slug", "step_slug")
_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0, 1800.0)
_TASKS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One thing that is counted.

    Attributes:
        name: With dots, as OpenTelemetry writes it.
        kind: A counter only rises, a histogram takes values apart, a gauge has the latest value.
        unit: Of the values, such as "s" or "{task}".
        description: What it says.
        labels: What values are told apart by.
        buckets: Upper ends of a histogram's buckets.
        is_shared: Whether all workers see one value of a gauge, and not each its own.
    """

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    description: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    is_shared: bool = False


CLAIMED: Final = Instrument(
    name="pgflow.tasks.claimed",
    kind="counter",
    unit="{task}",
    description="Tasks that the worker has claimed.",
    labels=_OF_STEP,
)
COMPLETED: Final = Instrument(
    name="pgflow.tasks.completed",
    kind="counter",
    unit="{task}",
    description="Tasks whose output is recorded.",
    labels=_OF_STEP,
)
RETRIED: Final = Instrument(
    name="pgflow.tasks.retried",
    kind="counter",
    unit="{task}",
    description="Failed attempts of tasks that are tried again.",
    labels=_OF_STEP,
)
FAILED: Final = Instrument(
    name="pgflow.tasks.failed",
    kind="counter",
    unit="{task}",
    description="Tasks that failed and are not tried again.",
    labels=_OF_STEP,
)
REFUSED: Final = Instrument(
    name="pgflow.reports.refused",
    kind="counter",
    unit="{task}",
    description="Results that were not taken, since their attempt counted no longer.",
)
DURATION: Final = Instrument(
    name="pgflow.task.duration",
    kind="histogram",
    unit="s",
    description="Time of an attempt in the worker, with its wait for a thread or process.",
    labels=(*_OF_STEP, "outcome"),
    buckets=_SECONDS,
)
CLAIM_SIZE: Final = Instrument(
    name="pgflow.claim.size",
    kind="histogram",
    unit="{task}",
    description="Tasks that came with one claim; claims that brought none are not counted.",
    buckets=_TASKS,
)
REPORT_SIZE: Final = Instrument(
    name="pgflow.report.size",
    kind="histogram",
    unit="{task}",
    description="Results that left with one report.",
    buckets=_TASKS,
)
HELD: Final = Instrument(
    name="pgflow.tasks.held",
    kind="gauge",
    unit="{task}",
    description="Tasks that the worker holds: under way, or with a result still to be recorded.",
)
DEPTH: Final = Instrument(
    name="pgflow.queue.depth",
    kind="gauge",
    unit="{task}",
    description="Tasks that are not done, by state: ready, delayed or started.",
    labels=("flow_slug", "state"),
    is_shared=True,
)
OLDEST: Final = Instrument(
    name="pgflow.queue.oldest_ready",
    kind="gauge",
    unit="s",
    description="Time for which the oldest ready task has waited; 0 where none waits.",
    labels=("flow_slug",),
    is_shared=True,
)
WORKERS: Final = Instrument(
    name="pgflow.workers",
    kind="gauge",
    unit="{worker}",
    description="Workers of the database, by state: living, or lost within the last hour.",
    labels=("state",),
    is_shared=True,
)
OLDEST_TRANSACTION: Final = Instrument(
    name="pgflow.transactions.oldest",
    kind="gauge",
    unit="s",
    description="Age of the oldest transaction that keeps dead rows; 0 where there is none.",
    is_shared=True,
)
DEAD_ROWS: Final = Instrument(
    name="pgflow.queue.dead_rows",
    kind="gauge",
    unit="{row}",
    description="Rows of the queue's table that vacuum has to remove.",
    is_shared=True,
)
INSTRUMENTS: Final = (
    *(CLAIMED, COMPLETED, RETRIED, FAILED, REFUSED, DURATION),
    *(CLAIM_SIZE, REPORT_SIZE, HELD, DEPTH, OLDEST),
    *(WORKERS, OLDEST_TRANSACTION, DEAD_ROWS),
)


class Meter(Protocol):
    """Where values go."""

    def put(self, instrument: Instrument, labels: tuple[str, ...], value: float) -> None:
        """Add to a counter, take a value into a histogram, or set a gauge."""
        ...


class Metrics:
    """Turns what happens in a worker into values.

    Args:
        meters: Where the values go; without any, nothing is to be told.
    """

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters: Final = meters

    def claimed(self, rows: Sequence[TaskRow]) -> None:
        """Count tasks that one claim brought."""
        self._put(CLAIM_SIZE, (), len(rows))
        self._count(CLAIMED, rows)

    def reported(self, size: int, completed: Iterable[TaskRow], refused: int) -> None:
        """Count the results that one report brought in."""
        self._put(REPORT_SIZE, (), size)
        self._count(COMPLETED, completed)
        if refused:
            self._put(REFUSED, (), refused)

    def ended(self, row: TaskRow, outcome: Literal["completed", "failed"], seconds: float) -> None:
        """Take in how long an attempt took."""
        self._put(DURATION, (*_step_of(row), outcome), seconds)

    def judged(self, row: TaskRow, *, is_retried: bool) -> None:
        """Count a failed attempt by what became of it."""
        self._put(RETRIED if is_retried else FAILED, _step_of(row), 1)

    def holds(self, count: int) -> None:
        """Take in how many tasks the worker holds."""
        self._put(HELD, (), count)

    def looked(self, rows: Iterable[DepthRow], figures: AlertFigures) -> None:
        """Take in how many tasks wait, and how the database is otherwise."""
        self._put(WORKERS, ("living",), figures.living_workers)
        self._put(WORKERS, ("lost",), figures.lost_workers)
        self._put(OLDEST_TRANSACTION, (), figures.oldest_transaction)
        self._put(DEAD_ROWS, (), figures.dead_rows)
        for row in rows:
            for state, count in zip(
                ("ready", "delayed", "started"), (row.ready, row.delayed, row.started), strict=True
            ):
                self._put(DEPTH, (row.flow_slug, state), count)
            self._put(OLDEST, (row.flow_slug,), row.oldest_ready or 0.0)

    def _count(self, instrument: Instrument, rows: Iterable[TaskRow]) -> None:
        for labels, count in Counter(map(_step_of, rows)).items():
            self._put(instrument, labels, count)

    def _put(self, instrument: Instrument, labels: tuple[str, ...], value: float) -> None:
        for meter in self._meters:
            meter.put(instrument, labels, value)


def _step_of(row: TaskRow) -> tuple[str, str]:
    return row.flow_slug or "", row.step_slug
