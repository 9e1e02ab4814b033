"""What a worker can be told about itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias

from pgflow_dsl import AnyStep, Flow

from pgflow_worker.errors import WorkerOptionsInvalid

_MOST_TRANSACTIONS: Final = 10
_SPANS: Final = (
    "heartbeat_interval",
    "poll_interval",
    "blocked_after",
    "run_for",
    "idle_timeout",
)

LimitsOption: TypeAlias = (
    Mapping[str, int]
    | Mapping[Flow[Any], int]
    | Mapping[AnyStep, int]
    | Mapping[Flow[Any] | AnyStep, int]
)
"""How many tasks at once, of flows and steps, or by their slugs: "flow" and "flow.step"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker behaves. The defaults suit one process on a small machine.

    Raises:
        WorkerOptionsInvalid: A value is out of its range.

    Attributes:
        concurrency: Tasks that may be under way at once, 1 or more. It is also the largest claim.
            Each lane reports and claims its share of them.
        limits: How many of these may be tasks of a flow, or of a step: {flow: 10, step: 2}, or by
            their slugs {"flow": 10, "flow.step": 2}. For this worker alone; others have their own.
            Tasks of other steps are claimed meanwhile.
        threads: Threads for sync handlers; None is the lesser of `concurrency` and 32. A task that
            waits for a thread or process for 20 seconds is handed back.
        processes: Processes for handlers with executor="process"; None is one for each CPU.
        transactions: Connections for transactional steps, of which no more tasks run at once; None
            is the lesser of `concurrency` and 10. A task that waits for one for 20 seconds is
            handed back.
        lanes: Connections that report and claim. Two let Python and Postgres work at once.
        heartbeat_interval: Time between two heartbeats, and between two looks for lost workers.
        lease: Time without a heartbeat after which others take this worker's tasks. Whole
            seconds, more than twice the interval.
        poll_interval: Longest time without a look for work. Notifications make it rarely matter.
        shutdown_timeout: How long a drain waits for handlers before it hands their tasks back.
        blocked_after: How long a handler may keep the event loop from going on before the log says
            which handler does so, and where it stands.
        listen: Whether to wait for notifications; a worker that does not polls ten times as often.
            None does so unless a pooler is found between worker and server: one in transaction
            mode loses them. True suits a pooler in session mode.
        prepared_statements: Whether statements are prepared. None does so unless there is a pooler,
            too. True suits one that keeps track of them, as PgBouncer does since 1.21.
        allow_data_loss: Whether a flow whose structure has changed is deleted with its runs and
            defined anew. For development.
        make_versions: Whether a flow whose structure has changed becomes a new version, which new
            runs take, while runs under way keep theirs. Without it the worker refuses to start.
        run_for: How long it serves before it drains by itself; None is without end.
        idle_timeout: How long there may be nothing to do before it drains by itself; None is
            without end. Delayed tasks that are not due are nothing to do.
        function_name: Name to register by, and to be tracked by for `ensure_workers`, where the
            worker is behind a URL; None registers host and process.
        prometheus: Whether counts go to the default registry of prometheus_client, which has to be
            installed (`pgflow-worker[prometheus]`). OpenTelemetry needs no option: where the
            process has set up its SDK, spans and metrics go there.
    """

    concurrency: int = 200
    limits: LimitsOption | None = None
    threads: int | None = None
    processes: int | None = None
    transactions: int | None = None
    lanes: int = 2
    heartbeat_interval: timedelta = timedelta(seconds=2)
    lease: timedelta = timedelta(seconds=7)
    poll_interval: timedelta = timedelta(seconds=2)
    shutdown_timeout: timedelta = timedelta(seconds=30)
    blocked_after: timedelta = timedelta(seconds=1)
    listen: bool | None = None
    prepared_statements: bool | None = None
    allow_data_loss: bool = False
    make_versions: bool = True
    run_for: timedelta | None = None
    idle_timeout: timedelta | None = None
    function_name: str | None = None
    prometheus: bool = False

    def __post_init__(self) -> None:
        for name in ("concurrency", "threads", "processes", "transactions", "lanes"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise WorkerOptionsInvalid(f"{name} has to be 1 or more, not {count}")
        for limited, count in (self.limits or {}).items():
            if count < 1:
                raise WorkerOptionsInvalid(f"limits: {limited} has to be 1 or more, not {count}")
        for name in _SPANS:
            span = getattr(self, name)
            if span is not None and span <= timedelta(0):
                raise WorkerOptionsInvalid(f"{name} has to be more than no time")
        if self.shutdown_timeout < timedelta(0):
            raise WorkerOptionsInvalid("shutdown_timeout has to be no time or more")
        if self.lease % timedelta(seconds=1):
            raise WorkerOptionsInvalid(f"lease is kept in whole seconds, so {self.lease} is none")
        if self.lease <= 2 * self.heartbeat_interval:
            raise WorkerOptionsInvalid("lease has to be more than twice the heartbeat_interval")

    @property
    def largest_report(self) -> int:
        """How many outputs a lane reports at a time, so that each lane gets its share."""
        return max(self.concurrency // self.lanes, 1)

    @property
    def most_transactions(self) -> int:
        """How many transactional tasks may run at once."""
        return self.transactions or min(self.concurrency, _MOST_TRANSACTIONS)
