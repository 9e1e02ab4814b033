"""The life of a worker, as a table of what may follow what."""

from enum import StrEnum
from typing import Final

from pgflow_worker.errors import WorkerStateInvalid


class WorkerState(StrEnum):
    """Where a worker stands."""

    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    STOPPED = "stopped"


TRANSITIONS: Final[dict[WorkerState, frozenset[WorkerState]]] = {
    WorkerState.CREATED: frozenset({WorkerState.STARTING, WorkerState.STOPPED}),
    WorkerState.STARTING: frozenset(
        {WorkerState.RUNNING, WorkerState.DRAINING, WorkerState.STOPPED}
    ),
    WorkerState.RUNNING: frozenset({WorkerState.DRAINING, WorkerState.STOPPED}),
    WorkerState.DRAINING: frozenset({WorkerState.STOPPED}),
    WorkerState.STOPPED: frozenset(),
}


def transition(old: WorkerState, new: WorkerState) -> WorkerState:
    """Return the new state, the old one where both are the same.

    Raises:
        WorkerStateInvalid: The new state may not follow the old.
    """
    if new is not old and new not in TRANSITIONS[old]:
        raise WorkerStateInvalid(old=old, new=new)
    return new
