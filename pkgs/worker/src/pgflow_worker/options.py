"""What a worker can be told about itself."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker behaves. The defaults suit one process on a small machine.

    Attributes:
        concurrency: Tasks that may be under way at once, 1 or more. It is also the largest claim.
        threads: Threads for sync handlers; None is the lesser of `concurrency` and 32.
        processes: Processes for handlers with executor="process"; None is one for each CPU.
        lanes: Connections that report and claim. Two let Python and Postgres work at once.
        heartbeat_interval: Time between two heartbeats, and between two looks for lost workers.
        lease: Time without a heartbeat after which others take this worker's tasks. Whole
            seconds, more than twice the interval.
        poll_interval: Longest time without a look for work. Notifications make it rarely matter.
        shutdown_timeout: How long a drain waits for handlers before it hands their tasks back.
        listen: Whether to wait for notifications. False where connections go through a pooler in
            transaction mode; the worker then polls ten times as often.
        prepared_statements: Whether statements are prepared. False for such a pooler, too.
        allow_data_loss: Whether a flow whose structure has changed is deleted with its runs and
            defined anew. For development.
    """

    concurrency: int = 100
    threads: int | None = None
    processes: int | None = None
    lanes: int = 2
    heartbeat_interval: timedelta = timedelta(seconds=2)
    lease: timedelta = timedelta(seconds=7)
    poll_interval: timedelta = timedelta(seconds=2)
    shutdown_timeout: timedelta = timedelta(seconds=30)
    listen: bool = True
    prepared_statements: bool = True
    allow_data_loss: bool = False

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.lanes < 1:
            raise ValueError("concurrency and lanes have to be 1 or more")
        if self.lease <= 2 * self.heartbeat_interval:
            raise ValueError("lease has to be more than twice the heartbeat_interval")
        if self.lease.microseconds or self.lease.total_seconds() < 1:
            raise ValueError("lease has to be whole seconds, 1 or more")
