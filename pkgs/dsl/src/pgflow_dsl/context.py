"""What a handler may know about the task it works on, and what it can reach from there."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from pgflow_dsl.cancellation import Cancellation
from pgflow_dsl.errors import AttemptCancelled
from pgflow_dsl.items import dump_item
from pgflow_dsl.surroundings import Done, Surroundings

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from uuid import UUID

__all__ = ["Context"]

Resources_co = TypeVar("Resources_co", covariant=True, default=Any)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(Generic[Resources_co]):
    """The task a handler works on. A handler gets it by having a parameter of this type.

    `Context[Pools]` says that the worker's `lifespan` yields a `Pools`, which is then the type of
    `resources`; plain `Context` leaves it open.

    Attributes:
        run_id: The run that the task belongs to.
        flow_slug: The flow.
        step_slug: The step.
        task_index: The element's position for a map step, else 0.
        attempt: Counts from 1; 2 is the first retry.
        deadline: When the attempt is stopped, with a time zone.
        logger: Writes with the task's ids.
        cancelled: Set when the attempt counts no longer.
        surroundings: What else it can reach; made by the worker, or by a test.
    """

    run_id: UUID
    flow_slug: str
    step_slug: str
    task_index: int
    attempt: int
    deadline: datetime
    logger: logging.Logger | logging.LoggerAdapter[logging.Logger]
    cancelled: Cancellation = field(default_factory=Cancellation, compare=False)
    surroundings: Surroundings = field(default_factory=Surroundings, compare=False, repr=False)

    @property
    def resources(self) -> Resources_co:
        """What the worker's `lifespan` yielded.

        Raises:
            ContextUnavailable: The worker has none, or the handler runs in another process.
        """
        resources: Resources_co = self.surroundings.resources()
        return resources

    @property
    def connection(self) -> Any:
        """The connection of a step with `transactional=True`, in the midst of its transaction.

        What is written with it, the step's output, and what follows from that are committed
        together or not at all. It is psycopg's `AsyncConnection` in an async handler and its
        `Connection` in others; `conn: AsyncConnection = ctx.connection` tells type checkers.

        Raises:
            ContextUnavailable: The step is not transactional.
        """
        return self.surroundings.connection()

    def flow_input(self) -> Any:
        """Return the flow's input, read when it is first asked for, once for all tasks of a run.

        In a coroutine it has to be awaited: `site: Site = await ctx.flow_input()`; elsewhere it
        returns the value: `site: Site = ctx.flow_input()`. A step that always needs it rather has a
        parameter with `flow.input` as its default.

        Raises:
            InputInvalid: What the run was started with does not fit the flow's input type.
            ContextUnavailable: There is no worker to ask.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self.surroundings.read_flow_input()
        return self.surroundings.fetch_flow_input()

    def emit(self, value: object) -> Awaitable[None]:
        """Store a value for clients to read while the handler goes on: a token, a line, a part.

        Values of an attempt are stored in order, and all of them before its result. They stay if
        the attempt fails; a next attempt emits anew. It also does what `heartbeat` does.

        `ctx.emit(value)` in a thread or process waits there while the worker has no room for more.
        In a coroutine it takes the value at once, and `await ctx.emit(value)` does the waiting.

        Args:
            value: Whatever pydantic can write as JSON, up to 16 MiB of it.

        Returns:
            Something to await in a coroutine; of no use elsewhere.

        Raises:
            ItemInvalid: The value has no JSON form that Postgres can hold, or is too large.
            AttemptCancelled: The attempt counts no longer. The value is not stored.
            StreamFull: A coroutine that does not await emits faster than can be stored.
            ContextUnavailable: There is no worker, or the handler runs in an executor other than
                the worker's own threads and processes.
        """
        self.heartbeat()
        text = dump_item(self.flow_slug, self.step_slug, value)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self.surroundings.emit(text)
            return Done()
        return self.surroundings.emit_soon(text)

    def heartbeat(self) -> None:
        """Go on only if the attempt still counts; sync code that takes long calls this often.

        A thread cannot be stopped from outside, but by this it stops itself.

        Raises:
            AttemptCancelled: It does not. Not an `Exception`, so that a handler's own `except` does
                not take it for a failure; let it pass.
        """
        reason = self.cancelled.reason
        if reason is None and not self.time_left():
            reason = "the attempt is out of time"
        if reason is not None:
            raise AttemptCancelled(reason)

    def time_left(self) -> timedelta:
        """Return the time until the deadline, zero once it has passed."""
        left = self.deadline - datetime.now(UTC)
        return max(left, timedelta(0))
