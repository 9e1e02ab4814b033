"""What is measured: which system does which workload, and how much of it."""

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One figure of the result.

    Attributes:
        group: W1 to W17.
        system: Whose figure it is.
        workload: Name of the workload in the system's adapter.
        label: What a reader sees: the system, and its settings where there are several.
        quick: How many runs, jobs, elements or samples in the quick form; 0 leaves it out.
        full: How many in the full form.
        unit: "…/s" for a rate, "ms" for latencies.
        timeout: Seconds after which the system is given up.
    """

    group: str
    system: str
    workload: str
    label: str
    quick: int
    full: int
    unit: str
    timeout: float = field(default=300)

    @property
    def is_peer(self) -> bool:
        """Whether it needs another system than ours and PostgreSQL."""
        return self.system not in ("pgflow", "raw_limit")


def _of(
    group: str, unit: str, *rows: tuple[str, str, str, int, int], timeout: float = 300
) -> list[Measurement]:
    return [
        Measurement(
            group=group,
            system=system,
            workload=workload,
            label=label,
            quick=quick,
            full=full,
            unit=unit,
            timeout=timeout,
        )
        for system, workload, label, quick, full in rows
    ]


PLAN: Final[tuple[Measurement, ...]] = (
    *_of(
        "W1",
        "runs/s",
        ("pgflow", "W1", "pgflow", 20_000, 20_000),
        ("pgflow", "W1-tuned", "pgflow, concurrency 400", 20_000, 20_000),
        ("raw_limit", "W1", "raw limit, 2 connections", 20_000, 100_000),
        ("raw_limit", "W1-one", "raw limit, 1 connection", 20_000, 100_000),
        ("pgqueuer", "W1-tuned", "pgqueuer, tuned", 20_000, 20_000),
        ("pgqueuer", "W1", "pgqueuer, its own settings", 10_000, 20_000),
        ("dbos", "W1", "DBOS", 2_000, 20_000),
        ("absurd", "W1", "absurd", 2_000, 20_000),
        ("procrastinate", "W1", "procrastinate", 2_000, 20_000),
    ),
    *_of(
        "W2",
        "steps/s",
        ("pgflow", "W2", "pgflow", 4_000, 4_000),
        ("pgflow", "W2-tuned", "pgflow, concurrency 400", 4_000, 4_000),
        ("dbos", "W2", "DBOS", 300, 4_000),
        ("absurd", "W2", "absurd", 300, 4_000),
    ),
    *_of(
        "W3",
        "elements/s",
        ("pgflow", "W3", "pgflow, 1,000", 1_000, 1_000),
        ("pgflow", "W3", "pgflow, 10,000", 10_000, 10_000),
        ("pgflow", "W3", "pgflow, 100,000", 0, 100_000),
        ("pgflow", "W3-workers-1", "pgflow, 20,000, 1 worker process", 20_000, 20_000),
        ("pgflow", "W3-workers-4", "pgflow, 20,000, 4 worker processes", 20_000, 20_000),
    ),
    *_of(
        "W4",
        "ms",
        ("raw_limit", "W4-notify", "bare NOTIFY round trip", 100, 300),
        ("raw_limit", "W4-commit", "durable commit of one row", 100, 300),
        ("pgflow", "W4", "pgflow, start to handler", 100, 300),
        ("dbos", "W4", "DBOS, direct call to handler", 50, 300),
        ("pgqueuer", "W4", "pgqueuer, start to handler", 50, 300),
        ("procrastinate", "W4", "procrastinate, start to handler", 50, 300),
        ("pgflow", "W4-chain", "pgflow, chain of 5", 100, 300),
        ("dbos", "W4-chain", "DBOS, chain of 5, direct call", 50, 300),
        ("pgflow", "W4-apart", "pgflow, start to handler in another process", 100, 300),
        ("pgflow", "W4-chain-apart", "pgflow, chain of 5 in another process", 100, 300),
        ("pgflow", "W4-fan", "pgflow, fan-out and fan-in of 10", 100, 300),
        ("pgflow", "W4-event", "pgflow, commit to event", 100, 300),
    ),
    *_of(
        "W5",
        "runs/s",
        ("pgflow", "W1", "pgflow, empty", 0, 20_000),
        ("pgflow", "W5-finished", "pgflow, 1,000,000 finished", 0, 20_000),
        ("pgflow", "W5-queued", "pgflow, 1,000,000 others queued", 0, 20_000),
        ("pgflow", "W5-idle", "pgflow, beside an idle transaction", 0, 20_000),
        timeout=1200,
    ),
    *_of(
        "W6",
        "starts/s",
        *(
            (system, f"W6-{connections}", f"{label}, {connections} connections", 1_000, 10_000)
            for connections in (1, 8, 32)
            for system, label in (("pgflow", "pgflow"), ("raw_limit", "bare insert of 3 rows"))
        ),
        ("pgflow", "W6-bulk", "pgflow, in bulk", 20_000, 100_000),
    ),
    *_of(
        "W7",
        "tasks/s",
        *(
            ("pgflow", f"W7-{workers}", f"pgflow, {workers} worker processes", quick, 40_000)
            for workers, quick in ((1, 20_000), (2, 20_000), (4, 0), (8, 20_000))
        ),
        ("pgflow", "W7-io", "pgflow, handlers that wait 10 ms", 20_000, 40_000),
        ("pgflow", "W7-cpu", "pgflow, handlers that compute 5 ms", 500, 4_000),
    ),
    *_of(
        "W8",
        "ms",
        ("pgflow", "W8", "pgflow, 100 chains of 5 a second", 20, 300),
        timeout=600,
    ),
    *_of(
        "W9",
        "bytes/s",
        *(
            ("pgflow", f"W9-{kind}-{size}", f"pgflow, {kind} of {size:,} bytes", quick, full)
            for kind in ("chain", "map")
            for size, quick, full in ((1_000, 2_000, 20_000), (100_000, 100, 1_000),
                                      (1_000_000, 10, 100))
        ),
    ),
    *_of(
        "W10",
        "items/s",
        ("pgflow", "W10-1", "pgflow, 1 handler emits", 50_000, 200_000),
        ("pgflow", "W10-100", "pgflow, 100 handlers emit", 50_000, 200_000),
        ("pgflow", "W10-threads", "pgflow, 8 threads emit", 50_000, 200_000),
    ),
    *_of(
        "W11",
        "ms",
        ("raw_limit", "W4-notify", "bare NOTIFY round trip", 100, 300),
        ("pgflow", "W11", "pgflow, from emit to reader", 100, 300),
    ),
    *_of(
        "W12",
        "runs/s",
        ("pgflow", "W1", "pgflow, handlers without a context", 20_000, 20_000),
        ("pgflow", "W12", "pgflow, with one that emits nothing", 20_000, 20_000),
    ),
    *_of(
        "W13",
        "steps/s",
        *(
            ("pgflow", f"W13-{shape}", f"pgflow, {label}: {size:,} steps", quick, size)
            for shape, label, sizes in (
                ("maps", "chain of empty maps", ((250, 250), (500, 0), (1_000, 1_000))),
                ("dag", "layers of ten, three dependencies", ((250, 250), (500, 0),
                                                              (1_000, 1_000))),
                ("cascade", "skipped layers of twelve", ((36, 36), (72, 0), (144, 144))),
            )
            for size, quick in sizes
        ),
        *(
            ("pgflow", "W3", f"pgflow, map of {size:,} elements", quick, size)
            for size, quick in ((25_000, 0), (50_000, 0), (100_000, 0))
        ),
    ),
    *_of(
        "W14",
        "ms",
        ("pgflow", "W4", "pgflow, nothing queued", 50, 300),
        ("pgflow", "W14-other", "pgflow, beside a map of 100,000 of another flow", 50, 300),
        ("pgflow", "W14-same", "pgflow, beside a map of 100,000 of the same flow", 50, 300),
    ),
    *_of(
        "W15",
        "ms",
        ("pgflow", "W15", "pgflow, prune 1,000 of 1,000,000 runs", 0, 1_000_000),
        ("pgflow", "W15", "pgflow, prune 1,000 of 20,000 runs", 20_000, 20_000),
        timeout=1200,
    ),
    *_of(
        "W16",
        "ms",
        ("pgflow", "W16", "pgflow, from a cancellation to a handler that has just begun", 10, 60),
    ),
    *_of(
        "W17",
        "runs/s",
        *(
            ("pgflow", f"W17-starts-{databases}", f"pgflow, starts, {label}", 2_000, 10_000)
            for databases, label in ((1, "1 shard"), (2, "2 shards"), (4, "4 shards"))
        ),
        ("pgflow", "W17-drain-1", "pgflow, drain, 1 shard with 2 workers", 20_000, 40_000),
        ("pgflow", "W17-drain-2", "pgflow, drain, 2 shards with 1 worker each", 20_000, 40_000),
    ),
)  # fmt: skip
