"""What a record of the log is about, for formatters that write it apart from the message."""

from pgflow_client.worker_protocol import TaskRow


def about(row: TaskRow, **more: object) -> dict[str, object]:
    """Return `extra` for a record about an attempt.

    Args:
        row: The claim.
        more: Further subjects: `duration` and `retry_in` are in seconds.
    """
    return {
        "flow_slug": row.flow_slug,
        "run_id": row.run_id,
        "step_slug": row.step_slug,
        "task_index": row.task_index,
        "attempt": row.attempt,
        **more,
    }
