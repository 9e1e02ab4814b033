"""How a worker is, for those who watch over processes."""

from dataclasses import dataclass

from pgflow_worker.state import WorkerState


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHealth:
    """How a worker is at this moment.

    Attributes:
        worker_id: The worker.
        state: Where it stands.
        held: Tasks that it holds.
        silence: Seconds since its last heartbeat got through; None before the first one.
        lease: Seconds of silence after which others take its tasks.
    """

    worker_id: str
    state: WorkerState
    held: int
    silence: float | None
    lease: float

    @property
    def is_alive(self) -> bool:
        """Whether the process is of use: not where its worker has stopped.

        A database that is away is no reason to restart a worker, which waits for it.
        """
        return self.state is not WorkerState.STOPPED

    @property
    def is_ready(self) -> bool:
        """Whether it claims tasks, and the database knows that it lives."""
        in_touch = self.silence is None or self.silence < self.lease
        return self.state is WorkerState.RUNNING and in_touch
