"""The calls that a worker makes, for authors of workers."""

from pgflow_client._functions.tasks import (
    Failure,
    Reports,
    TaskRow,
    claim_tasks,
    ensure_flow_compiled,
    find_lost_attempts,
    get_shared_input,
    heartbeat,
    mark_worker_stopped,
    register_worker,
    release_tasks,
    release_unknown_tasks,
    report_and_claim,
    requeue_stalled_tasks,
    wait_for_tasks,
)

__all__ = [
    "Failure",
    "Reports",
    "TaskRow",
    "claim_tasks",
    "ensure_flow_compiled",
    "find_lost_attempts",
    "get_shared_input",
    "heartbeat",
    "mark_worker_stopped",
    "register_worker",
    "release_tasks",
    "release_unknown_tasks",
    "report_and_claim",
    "requeue_stalled_tasks",
    "wait_for_tasks",
]
