"""Every error that defining and running a flow raises.

PgflowError
 ├── DefinitionError        the flow is written wrongly; raised while its module is imported
 │    └── ReferenceUsed         a reference was used as if it were the value it stands for
 ├── UnknownStep            a flow was asked for a step that it does not have
 ├── DataInvalid            a value does not fit its declared type; final, never retried
 │    ├── InputInvalid          the input that a run is started with
 │    ├── HandlerInputInvalid   what a handler is about to receive
 │    ├── HandlerOutputInvalid  what a handler returned
 │    └── ItemInvalid           what a handler emitted, or what was read as an item
 ├── StreamFull             a coroutine emitted on and on without awaiting it
 ├── TransactionBroken      a statement of a transactional handler failed, and it went on
 ├── FinalError             raised by handlers: end the task without a retry
 │    ├── ContextUnavailable    a handler asked its context for what is not there
 │    └── TransactionEnded      a transactional handler has ended its transaction itself
 └── RetryAfter             raised by handlers: retry the task after a delay of their choice

AttemptCancelled            raised in handlers whose attempt counts no longer; like asyncio's
                            CancelledError not an Exception
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

__all__ = [
    "AttemptCancelled",
    "ContextUnavailable",
    "DataInvalid",
    "DefinitionError",
    "FinalError",
    "HandlerInputInvalid",
    "HandlerOutputInvalid",
    "InputInvalid",
    "ItemInvalid",
    "PgflowError",
    "ReferenceUsed",
    "RetryAfter",
    "StreamFull",
    "TransactionBroken",
    "TransactionEnded",
    "UnknownStep",
]


class PgflowError(Exception):
    """The root of all errors that pgflow raises on purpose."""


class DefinitionError(PgflowError):
    """A flow is defined in a way that cannot work.

    Attributes:
        reason: What is wrong and what to do about it.
        where: What it is about: a flow, a step, or a function with its file and line.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where = where
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class ReferenceUsed(DefinitionError, AttributeError):
    """A reference such as `fetch.output` was used as if it were the value it stands for.

    Also an AttributeError, so that `hasattr` and tools that probe objects keep working.
    """


class UnknownStep(PgflowError):
    """A flow was asked for a step that it does not have.

    Attributes:
        flow_slug: The flow.
        step_slug: The slug that was asked for.
        known: The slugs of the steps that it has, in definition order.
    """

    def __init__(self, flow_slug: str, step_slug: str, known: tuple[str, ...]) -> None:
        super().__init__(flow_slug, step_slug, known)
        self.flow_slug = flow_slug
        self.step_slug = step_slug
        self.known = known

    def __str__(self) -> str:
        steps = ", ".join(self.known) or "none"
        return f"flow {self.flow_slug!r} has no step {self.step_slug!r}; its steps: {steps}"


class DataInvalid(PgflowError):
    """A value does not fit the type that the flow declares for it. Trying again cannot help.

    Attributes:
        flow_slug: The flow.
        step_slug: The step; None where the value is the flow's input.
        problems: Pairs of a field's path ("page.title", "" for the whole value) and the reason.
    """

    def __init__(
        self, flow_slug: str, step_slug: str | None, problems: tuple[tuple[str, str], ...]
    ) -> None:
        super().__init__(flow_slug, step_slug, problems)
        self.flow_slug = flow_slug
        self.step_slug = step_slug
        self.problems = problems

    def _subject(self) -> str:
        return f"data of flow {self.flow_slug!r}"

    def __str__(self) -> str:
        told = "; ".join(f"{path}: {reason}" if path else reason for path, reason in self.problems)
        return f"{self._subject()} is invalid: {told}"


class InputInvalid(DataInvalid):
    """The input given to start a run does not fit the flow's input type."""

    def _subject(self) -> str:
        return f"input of flow {self.flow_slug!r}"


class HandlerInputInvalid(DataInvalid):
    """Stored data does not fit a parameter of the handler that is to receive it."""

    def _subject(self) -> str:
        return f"input of step {self.step_slug!r} of flow {self.flow_slug!r}"


class HandlerOutputInvalid(DataInvalid):
    """A handler returned something other than it declares, or that JSON cannot hold."""

    def _subject(self) -> str:
        return f"output of step {self.step_slug!r} of flow {self.flow_slug!r}"


class ItemInvalid(DataInvalid):
    """A handler emitted what JSON cannot hold, or an item is not of the type it is read as."""

    def _subject(self) -> str:
        return f"an item of step {self.step_slug!r} of flow {self.flow_slug!r}"


class AttemptCancelled(BaseException):
    """Raised in a handler by `Context.heartbeat` when its attempt counts no longer.

    Not an `Exception`: a handler that catches those is to stop all the same.
    """


class StreamFull(PgflowError):
    """A coroutine emits faster than its worker can store, and does not wait. The item is lost.

    Attributes:
        size: Characters of JSON that the worker holds of it.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size

    def __str__(self) -> str:
        return (
            f"{self.size:,} characters of items are not stored yet: write `await ctx.emit(value)`, "
            "which waits for room"
        )


class FinalError(PgflowError):
    """Raised by a handler to end its task now: no attempt that is left will be used."""

    def __init__(self, message: str = "the handler gave up") -> None:
        super().__init__(message)


class ContextUnavailable(FinalError):
    """A handler asked its context for what its step or its worker does not have.

    Attributes:
        what: The context's attribute.
        advice: Why it is not there, or what to do about it.
    """

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"this context has no {self.what}: {self.advice}"


class TransactionEnded(FinalError):
    """The handler of a transactional step has ended the transaction itself.

    Attributes:
        step_slug: The step.
    """

    def __init__(self, step_slug: str) -> None:
        super().__init__(step_slug)
        self.step_slug = step_slug

    def __str__(self) -> str:
        return (
            f"the handler of step {self.step_slug!r} has ended the transaction of ctx.connection, "
            "so what it wrote is committed without its output; leave that to the worker"
        )


class TransactionBroken(PgflowError):
    """A statement of a transactional handler failed, and the handler went on.

    Attributes:
        step_slug: The step.
    """

    def __init__(self, step_slug: str) -> None:
        super().__init__(step_slug)
        self.step_slug = step_slug

    def __str__(self) -> str:
        return (
            f"a statement of step {self.step_slug!r} failed, so nothing of its transaction can be "
            "committed; put what may fail into `with ctx.connection.transaction():`"
        )


class RetryAfter(PgflowError):
    """Raised by a handler to be tried again after a delay that it chooses.

    Attributes:
        delay: Time until the next attempt, instead of the step's own backoff.
        message: The reason, recorded with the task.
    """

    def __init__(self, delay: timedelta, message: str = "the handler asked to be retried") -> None:
        # A handler's mistake must not surface later, in the worker's arithmetic.
        checked: Any = delay
        if not isinstance(checked, timedelta):
            raise TypeError(f"RetryAfter takes a timedelta, not {type(checked).__name__}")
        if delay < timedelta(0):
            raise ValueError(f"RetryAfter takes a delay of zero or more, not {delay}")
        super().__init__(delay, message)
        self.delay = delay
        self.message = message

    def __str__(self) -> str:
        return f"{self.message} (again after {self.delay})"
