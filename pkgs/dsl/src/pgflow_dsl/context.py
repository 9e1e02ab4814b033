"""What a handler may know about the task it works on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

__all__ = ["Context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The task a handler works on. A handler gets it by having a parameter of this type.

    Attributes:
        run_id: The run that the task belongs to.
        flow_slug: The flow.
        step_slug: The step.
        task_index: The element's position for a map step, else 0.
        attempt: Counts from 1; 2 is the first retry.
        deadline: When the attempt is stopped, with a time zone.
        logger: Writes with the task's ids.
    """

    run_id: UUID
    flow_slug: str
    step_slug: str
    task_index: int
    attempt: int
    deadline: datetime
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger]

    def time_left(self) -> timedelta:
        """Return the time until the deadline, zero once it has passed."""
        left = self.deadline - datetime.now(UTC)
        return max(left, timedelta(0))
