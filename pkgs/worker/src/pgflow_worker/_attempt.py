"""An attempt that is under way in this worker."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from pgflow_client.worker_protocol import TaskRow
from pgflow_dsl import Cancellation

from pgflow_worker._streams import AttemptStream
from pgflow_worker.registry import Handler

current_attempt: Final[ContextVar["Attempt | None"]] = ContextVar("pgflow_attempt", default=None)
"""The attempt that a task of the loop works on, also one that a handler has made."""


@dataclass(slots=True, eq=False, kw_only=True)
class Attempt:
    """A claimed task with its handler.

    Attributes:
        handler: What runs.
        row: The claim.
        cancellation: Tells the handler that the attempt counts no longer.
        stream: What the handler emits; None where it cannot.
        is_called_off: Whether the worker has cancelled it; nobody looks at what comes of it.
    """

    handler: Handler
    row: TaskRow
    cancellation: Cancellation = field(default_factory=Cancellation)
    stream: AttemptStream | None = None
    is_called_off: bool = False

    def call_off(self, reason: str) -> None:
        """Tell the handler that nobody waits for its result.

        Args:
            reason: Why.
        """
        self.is_called_off = True
        self.cancellation.set(reason)
